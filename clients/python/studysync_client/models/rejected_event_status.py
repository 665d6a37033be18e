from enum import StrEnum

class RejectedEventStatus(StrEnum):
    APPLIED = "applied"
    REJECTED = "rejected"

    def __str__(self) -> str:
        return str(self.value)
