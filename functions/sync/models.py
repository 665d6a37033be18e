"""Requests and answers of the sync domain (docs/contract.md: "Offline sync")."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from studysync.fields import DisplayText, RequestBody, Timestamp
from studysync.web.completed_session import SessionCompleted

MAX_EVENTS = 500
EventType = Literal["start", "heartbeat", "focus_start", "focus_end", "break_start", "break_end", "complete", "abandon"]
ClientId = Annotated[DisplayText, StringConstraints(min_length=1, max_length=100)]


class OfflineEvent(BaseModel):
    """An event that happened without a connection. Fields that we do not know are let pass: old phones send them."""

    event_id: UUID | None = None
    session_id: UUID
    event_type: EventType
    event_payload: dict[str, Any] | None = None
    created_at: Timestamp


class StartPayload(BaseModel):
    """What the start of a session may say."""

    duration_minutes: int | None = Field(default=None, ge=1, le=720)
    subject: Annotated[DisplayText, StringConstraints(min_length=1, max_length=100)] | None = None
    space_id: UUID | None = None


class CompletePayload(BaseModel):
    """What the completion of a session may say."""

    efficiency: float | None = Field(default=None, ge=0, le=100, allow_inf_nan=False)


class SyncBatch(RequestBody):
    """A batch of events. Each is judged by itself: one that is no event is rejected, and the others are applied."""

    events: list[Any] = Field(
        min_length=1,
        json_schema_extra={"items": {"$ref": "#/components/schemas/OfflineEvent"}, "maxItems": MAX_EVENTS},
    )
    client_id: ClientId | None = None
    sent_at: Timestamp | None = Field(default=None, description="The client's clock at sending; corrects created_at.")
    last_sync: Any = Field(default=None, description="From old clients; the server knows better.")


class EventOutcome(BaseModel):
    """What became of an event."""

    event_id: UUID
    status: Literal["applied", "duplicate", "rejected"]
    error_code: str | None
    message: str | None


class SyncResult(BaseModel):
    """What became of a batch."""

    synced_count: int
    duplicate_count: int
    rejected_count: int
    results: list[EventOutcome] = Field(description="One a sent event, in the order sent.")
    sessions: list[SessionCompleted] = Field(
        description="The outcome of every session that the batch completed or rated again."
    )
    clock_offset_seconds: int = Field(
        description="What was added to `created_at` because the client's clock is behind."
    )
    cursor: str = Field(description="For `GET /api/sync/changes`.")


class KeptEvent(BaseModel):
    """A rejected event, or one that was retried."""

    event_id: UUID
    session_id: UUID | None
    event_type: str | None
    event_payload: dict[str, Any]
    created_at: datetime | None
    client_id: str | None
    received_at: datetime
    status: Literal["applied", "rejected"]
    error_code: str | None
    message: str | None


class RetriedEvent(KeptEvent):
    """What became of an event that was tried again."""

    sessions: list[SessionCompleted]


class Change(BaseModel):
    """Something that changed for the caller."""

    kind: Literal["session", "xp", "badge", "membership", "profile"]
    id: str = Field(description="Of the session, badge or space; `me` for XP and profile.")
    deleted: bool
    changed_at: datetime
    data: dict[str, Any] | None = Field(description="How it stands now; null when it is gone.")


class Changes(BaseModel):
    """A page of changes. `next_cursor` is null when there are no more for now; `cursor` is where to go on next time."""

    success: Literal[True] = True
    data: list[Change]
    next_cursor: str | None
    cursor: str


class SyncStatus(BaseModel):
    """What the server has from a client."""

    client_id: str | None
    last_synced_at: datetime | None
    last_event_at: datetime | None = Field(description="By the client's clock.")
    applied_count: int
    rejected_count: int
    cursor: str
