"""Requests and answers of the sessions domain (docs/contract.md: "Sessions")."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from studysync.fields import DisplayText, Integer, Percentage, RequestBody, Timestamp, UtcDatetime

Status = Literal["active", "completed", "abandoned"]
Subject = Annotated[DisplayText, StringConstraints(min_length=1, max_length=100)]


class StartSession(RequestBody):
    """A session to start now."""

    duration_minutes: Integer = Field(ge=1, le=720, description="The planned duration.")
    subject: Subject | None = None
    space_id: UUID | None = None
    session_id: UUID | None = Field(default=None, description="An id that you choose, so that a repeat is recognised.")


class Heartbeat(RequestBody):
    """A heartbeat of the active session."""

    timestamp: Timestamp | None = Field(default=None, description="By the client's clock; stored, but not trusted.")


class AuditEvent(RequestBody):
    """An event of a session."""

    event_type: Literal["focus_start", "focus_end", "break_start", "break_end", "heartbeat", "note"]
    timestamp: Timestamp | None = Field(default=None, description="By the client's clock; stored, but not trusted.")
    payload: dict[str, Any] = Field(default_factory=dict, description="At most 4 KiB.")


class CompleteSession(RequestBody):
    """The client's view of a completed session."""

    efficiency: Percentage | None = None
    completed_at: Timestamp | None = Field(default=None, description="By the client's clock; stored, but not trusted.")


class SessionStarted(BaseModel):
    """An active session."""

    session_id: UUID
    status: Literal["active"]
    started_at: UtcDatetime
    planned_end_at: UtcDatetime
    duration_minutes: int
    subject: str | None
    space_id: UUID | None


class HeartbeatCounted(BaseModel):
    """The result of a heartbeat."""

    session_id: UUID
    status: Status
    focus_seconds: int
    last_heartbeat_at: UtcDatetime


class SessionEvent(BaseModel):
    """A recorded event of a session."""

    event_id: UUID
    session_id: UUID
    event_type: str
    source: Literal["client", "lifecycle"]
    occurred_at: UtcDatetime = Field(description="The server's clock.")
    timestamp: UtcDatetime | None = Field(description="The client's clock.")
    payload: dict[str, Any]


class SessionAbandoned(BaseModel):
    """A session that ended without XP."""

    session_id: UUID
    status: Literal["abandoned", "completed"] = Field(description="Completed where it had been paid before.")
    ended_at: UtcDatetime
    focus_seconds: int
    clipped_seconds: int
    xp_awarded: int


class Session(BaseModel):
    """The current state of a session."""

    session_id: UUID
    status: Status
    subject: str | None
    space_id: UUID | None
    duration_minutes: int
    started_at: UtcDatetime
    ended_at: UtcDatetime | None
    last_heartbeat_at: UtcDatetime | None
    focus_seconds: int
    clipped_seconds: int = Field(description="Studied while another session was, and credited to that.")
    efficiency: float | None
    xp_awarded: int
    suspicion_score: int
    flagged: bool
