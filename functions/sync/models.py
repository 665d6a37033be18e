"""Requests and answers of the sync domain (docs/contract.md: "Offline sync")."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints

from studysync.fields import NOT_BOOLEAN, DisplayText, Percentage, RequestBody, Timestamp, UtcDatetime
from studysync.web.completed_session import SessionCompleted

MAX_EVENTS = 500
EventType = Literal["start", "heartbeat", "focus_start", "focus_end", "break_start", "break_end", "complete", "abandon"]
ClientId = Annotated[DisplayText, StringConstraints(min_length=1, max_length=100)]


class OfflineEvent(BaseModel):
    """An event that happened offline. Unknown fields are ignored, because old clients send them."""

    event_id: UUID | None = None
    session_id: UUID
    event_type: EventType
    event_payload: dict[str, Any] | None = None
    created_at: Timestamp


class StartPayload(BaseModel):
    """The payload of a `start` event."""

    duration_minutes: Annotated[int, Field(ge=1, le=720), NOT_BOOLEAN] | None = None
    subject: Annotated[DisplayText, StringConstraints(min_length=1, max_length=100)] | None = None
    space_id: UUID | None = None


class CompletePayload(BaseModel):
    """The payload of a `complete` event."""

    efficiency: Percentage | None = None


class SyncBatch(RequestBody):
    """A batch of events. An invalid event is rejected; the others are applied."""

    events: list[Any] = Field(
        min_length=1,
        json_schema_extra={"items": {"$ref": "#/components/schemas/OfflineEvent"}, "maxItems": MAX_EVENTS},
    )
    client_id: ClientId | None = None
    sent_at: Timestamp | None = Field(default=None, description="The client's clock at sending; corrects created_at.")
    last_sync: Any = Field(default=None, description="Sent by old clients; ignored.")


class EventOutcome(BaseModel):
    """The outcome of an event."""

    event_id: UUID
    status: Literal["applied", "duplicate", "rejected"]
    error_code: str | None
    message: str | None


class BatchResult(BaseModel):
    """The outcome of a batch."""

    synced_count: int
    duplicate_count: int
    rejected_count: int
    results: list[EventOutcome] = Field(description="One per event, in the order sent.")
    sessions: list[SessionCompleted] = Field(
        description="The outcome of every session that the batch completed or rated again."
    )
    clock_offset_seconds: int = Field(
        description="What was added to `created_at`: by how much the client's clock is behind."
    )


class SyncResult(BatchResult):
    """The outcome of a batch."""

    cursor: str = Field(
        description="Where the account stood. Go on in `GET /api/sync/changes` from its own cursors, not from here."
    )


class AppliedBatch(BatchResult):
    """What the database says of a batch.

    Attributes:
        last: the number of the account's last change, where the cursor for changes goes on.
        xp_awarded, completed_count: of this very call, not of what it repeats.
    """

    last: int
    xp_awarded: int
    completed_count: int


class RejectedEvent(BaseModel):
    """A rejected event, including one that was retried."""

    event_id: UUID
    session_id: UUID | None
    event_type: str | None
    event_payload: dict[str, Any]
    created_at: UtcDatetime | None
    client_id: str | None
    received_at: UtcDatetime
    status: Literal["applied", "rejected"]
    error_code: str | None
    message: str | None


class RetriedEvent(RejectedEvent):
    """The outcome of a retried event."""

    sessions: list[SessionCompleted]


class AppliedRetry(RetriedEvent):
    """What the database says of an event that was tried again; see `AppliedBatch`."""

    xp_awarded: int
    completed_count: int


class Change(BaseModel):
    """A change that affects you."""

    kind: Literal["session", "xp", "badge", "membership", "profile"]
    id: str = Field(description="The id of the session, badge or space; `me` for XP and profile.")
    deleted: bool
    changed_at: UtcDatetime
    data: dict[str, Any] | None = Field(description="Its current state; null if it was deleted.")


class Changes(BaseModel):
    """A page of changes. `next_cursor` is null if there are no more; use `cursor` for the next poll."""

    success: Literal[True] = True
    data: list[Change]
    next_cursor: str | None
    cursor: str


class SyncStatus(BaseModel):
    """What the server has received from a client."""

    client_id: str | None
    last_synced_at: UtcDatetime | None
    last_event_at: UtcDatetime | None = Field(description="By the client's clock.")
    applied_count: int
    rejected_count: int
    cursor: str
