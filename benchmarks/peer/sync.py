"""The peer's sync routes."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from peer.common import Answer, Body, User, call, create_app, create_handler, write
from pydantic import BaseModel, Field

app = create_app("Sync")


class OfflineEvent(BaseModel):
    """An event recorded offline."""

    event_id: UUID | None = None
    session_id: UUID
    event_type: Literal[
        "start", "heartbeat", "focus_start", "focus_end", "break_start", "break_end", "complete", "abandon"
    ]
    event_payload: dict[str, Any] | None = None
    created_at: datetime


class SyncBatch(Body):
    """A device's batch of offline events."""

    events: list[OfflineEvent] = Field(min_length=1, max_length=500)
    client_id: str | None = Field(default=None, min_length=1, max_length=100)
    sent_at: datetime | None = None


@app.post("/api/sync/offline")
def offline(user: User, body: SyncBatch) -> Answer:
    """Apply a batch of offline events."""
    return write("sync_offline", user, body, mode="soft")


@app.get("/api/sync/rejected")
def rejected(user: User, limit: int = 50) -> Answer:
    """Read rejected events."""
    return Answer(data=call("get_rejected_events", p_user_id=user, p_limit=limit))


@app.post("/api/sync/rejected/{event_id}/retry")
def retry(user: User, event_id: UUID) -> Answer:
    """Retry a rejected event."""
    return write("retry_rejected_event", user, event_id=str(event_id), mode="soft")


@app.get("/api/sync/changes")
def changes(user: User, limit: int = 50, after: int = 0) -> Answer:
    """Read the caller's changes since `after`."""
    return Answer(data=call("get_changes", p_user_id=user, p_after=after, p_limit=limit))


@app.get("/api/sync/status")
def status(user: User, client_id: str | None = None) -> Answer:
    """Read a device's sync status."""
    return Answer(data=call("get_sync_status", p_user_id=user, p_client_id=client_id))


handler = create_handler(app)
