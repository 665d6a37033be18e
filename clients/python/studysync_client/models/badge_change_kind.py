from enum import StrEnum

class BadgeChangeKind(StrEnum):
    BADGE = "badge"

    def __str__(self) -> str:
        return str(self.value)
