from enum import StrEnum

class Period(StrEnum):
    ALL_TIME = "all-time"
    MONTHLY = "monthly"
    WEEKLY = "weekly"

    def __str__(self) -> str:
        return str(self.value)
