from enum import StrEnum

class AuditEventEventType(StrEnum):
    BREAK_END = "break_end"
    BREAK_START = "break_start"
    FOCUS_END = "focus_end"
    FOCUS_START = "focus_start"
    HEARTBEAT = "heartbeat"
    NOTE = "note"

    def __str__(self) -> str:
        return str(self.value)
