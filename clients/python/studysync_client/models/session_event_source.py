from enum import StrEnum

class SessionEventSource(StrEnum):
    CLIENT = "client"
    LIFECYCLE = "lifecycle"

    def __str__(self) -> str:
        return str(self.value)
