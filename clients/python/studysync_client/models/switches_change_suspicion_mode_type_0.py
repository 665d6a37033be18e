from enum import StrEnum

class SwitchesChangeSuspicionModeType0(StrEnum):
    SOFT = "soft"
    STRICT = "strict"

    def __str__(self) -> str:
        return str(self.value)
