from enum import StrEnum

class MarkKind(StrEnum):
    DEPLOYMENT = "deployment"
    ORDER = "order"

    def __str__(self) -> str:
        return str(self.value)
