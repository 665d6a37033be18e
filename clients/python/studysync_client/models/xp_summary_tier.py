from enum import StrEnum

class XpSummaryTier(StrEnum):
    BRONZE = "bronze"
    DIAMOND = "diamond"
    GOLD = "gold"
    PLATINUM = "platinum"
    SILVER = "silver"

    def __str__(self) -> str:
        return str(self.value)
