from enum import StrEnum

class SessionChangeKind(StrEnum):
    SESSION = "session"

    def __str__(self) -> str:
        return str(self.value)
