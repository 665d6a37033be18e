from enum import StrEnum

class SessionAbandonedStatus(StrEnum):
    ABANDONED = "abandoned"
    COMPLETED = "completed"

    def __str__(self) -> str:
        return str(self.value)
