from enum import StrEnum

class XpChangeKind(StrEnum):
    XP = "xp"

    def __str__(self) -> str:
        return str(self.value)
