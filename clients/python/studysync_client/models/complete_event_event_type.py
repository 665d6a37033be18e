from enum import StrEnum

class CompleteEventEventType(StrEnum):
    COMPLETE = "complete"

    def __str__(self) -> str:
        return str(self.value)
