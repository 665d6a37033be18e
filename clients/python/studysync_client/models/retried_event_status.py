from enum import StrEnum

class RetriedEventStatus(StrEnum):
    APPLIED = "applied"
    REJECTED = "rejected"

    def __str__(self) -> str:
        return str(self.value)
