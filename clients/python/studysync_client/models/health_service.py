from enum import StrEnum

class HealthService(StrEnum):
    STUDYSYNC = "studysync"

    def __str__(self) -> str:
        return str(self.value)
