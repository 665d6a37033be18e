from enum import StrEnum

class SwitchesInEffectSuspicionMode(StrEnum):
    SOFT = "soft"
    STRICT = "strict"

    def __str__(self) -> str:
        return str(self.value)
