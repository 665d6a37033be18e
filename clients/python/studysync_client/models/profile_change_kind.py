from enum import StrEnum

class ProfileChangeKind(StrEnum):
    PROFILE = "profile"

    def __str__(self) -> str:
        return str(self.value)
