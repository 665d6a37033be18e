"""The result of completing a session, online or in an offline batch."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from studysync.fields import UtcDatetime


class SessionCompleted(BaseModel):
    """The XP and badges that a completed session earned."""

    session_id: UUID
    status: Literal["completed"]
    ended_at: UtcDatetime
    focus_seconds: int
    clipped_seconds: int = Field(description="Studied while another session was, and credited to that.")
    xp_awarded: int
    xp_breakdown: dict[str, int] = Field(description="XP by source; the sum is `xp_awarded`.")
    total_xp: int
    level: int
    leveled_up: bool
    current_streak: int = Field(description="Days.")
    new_badges: list[str]
    suspicion_score: int = Field(ge=0, le=100)
    flagged: bool
    held: bool = Field(description="Flagged in strict mode, so it earns no XP.")
