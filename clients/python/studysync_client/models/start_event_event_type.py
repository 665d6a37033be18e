from enum import StrEnum

class StartEventEventType(StrEnum):
    START = "start"

    def __str__(self) -> str:
        return str(self.value)
