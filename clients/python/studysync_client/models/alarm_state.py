from enum import StrEnum

class AlarmState(StrEnum):
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    OK = "OK"

    def __str__(self) -> str:
        return str(self.value)
