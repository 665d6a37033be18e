from enum import StrEnum

class SessionStatus(StrEnum):
    ABANDONED = "abandoned"
    ACTIVE = "active"
    COMPLETED = "completed"

    def __str__(self) -> str:
        return str(self.value)
