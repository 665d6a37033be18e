from enum import StrEnum

class HeartbeatCountedStatus(StrEnum):
    ABANDONED = "abandoned"
    ACTIVE = "active"
    COMPLETED = "completed"

    def __str__(self) -> str:
        return str(self.value)
