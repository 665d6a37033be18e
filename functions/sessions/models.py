"""Requests and answers of the sessions domain (docs/contract.md: "Sessions")."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from studysync.fields import DisplayText, RequestBody, Timestamp

Status = Literal["active", "completed", "abandoned"]
Subject = Annotated[DisplayText, StringConstraints(min_length=1, max_length=100)]


class StartSession(RequestBody):
    """A session to begin now."""

    duration_minutes: int = Field(ge=1, le=720, description="As planned.")
    subject: Subject | None = None
    space_id: UUID | None = None
    session_id: UUID | None = Field(default=None, description="Chosen by the client, so that a repeat is recognised.")


class Heartbeat(RequestBody):
    """A sign of life."""

    timestamp: Timestamp | None = Field(default=None, description="The client's clock; kept as a claim.")


class AuditEvent(RequestBody):
    """Something that happened in a session."""

    event_type: Literal["focus_start", "focus_end", "break_start", "break_end", "heartbeat", "note"]
    timestamp: Timestamp | None = Field(default=None, description="The client's clock; kept as a claim.")
    payload: dict[str, Any] = Field(default_factory=dict, description="At most 4 KiB.")


class CompleteSession(RequestBody):
    """The end of a session, as the client sees it."""

    efficiency: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)
    completed_at: Timestamp | None = Field(default=None, description="The client's clock; kept as a claim.")


class SessionStarted(BaseModel):
    """A session that runs."""

    session_id: UUID
    status: Literal["active"]
    started_at: datetime
    planned_end_at: datetime
    duration_minutes: int
    subject: str | None
    space_id: UUID | None


class HeartbeatCounted(BaseModel):
    """What the heartbeat did."""

    session_id: UUID
    status: Status
    focus_seconds: int
    last_heartbeat_at: datetime


class SessionEvent(BaseModel):
    """One event of a session."""

    event_id: UUID
    session_id: UUID
    event_type: str
    source: Literal["client", "lifecycle"]
    occurred_at: datetime = Field(description="The server's clock.")
    timestamp: datetime | None = Field(description="The client's clock.")
    payload: dict[str, Any]


class SessionAbandoned(BaseModel):
    """A session that ended without XP."""

    session_id: UUID
    status: Literal["abandoned", "completed"] = Field(description="Completed where it had been paid before.")
    ended_at: datetime
    focus_seconds: int
    clipped_seconds: int
    xp_awarded: int


class Session(BaseModel):
    """A session as it stands."""

    session_id: UUID
    status: Status
    subject: str | None
    space_id: UUID | None
    duration_minutes: int
    started_at: datetime
    ended_at: datetime | None
    last_heartbeat_at: datetime | None
    focus_seconds: int
    clipped_seconds: int = Field(description="Studied while another session was, and credited to that.")
    efficiency: float | None
    xp_awarded: int
    suspicion_score: int
    flagged: bool
