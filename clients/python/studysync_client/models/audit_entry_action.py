from enum import StrEnum

class AuditEntryAction(StrEnum):
    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    DATA_ACCESS = "data_access"
    DATA_MODIFICATION = "data_modification"

    def __str__(self) -> str:
        return str(self.value)
