from enum import StrEnum

class SessionAbandonedStatus(StrEnum):
    ABANDONED = "abandoned"

    def __str__(self) -> str:
        return str(self.value)
