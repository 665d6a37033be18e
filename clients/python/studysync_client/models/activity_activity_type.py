from enum import StrEnum

class ActivityActivityType(StrEnum):
    BADGE_EARNED = "badge_earned"
    JOINED = "joined"
    LEFT = "left"
    SESSION_COMPLETED = "session_completed"
    SESSION_STARTED = "session_started"

    def __str__(self) -> str:
        return str(self.value)
