from enum import StrEnum

class MembershipChangeKind(StrEnum):
    MEMBERSHIP = "membership"

    def __str__(self) -> str:
        return str(self.value)
