"""The peer's routes for study sessions."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

from peer.common import Answer, Body, User, call, create_app, create_handler, write
from pydantic import Field

app = create_app("Sessions")


class StartSession(Body):
    """A request to start a session."""

    duration_minutes: int = Field(ge=1, le=720)
    subject: str | None = Field(default=None, min_length=1, max_length=100)
    space_id: UUID | None = None
    session_id: UUID | None = None


class Heartbeat(Body):
    """A heartbeat."""

    timestamp: datetime | None = None


class AuditEvent(Body):
    """An event to record in a session."""

    event_type: Literal["focus_start", "focus_end", "break_start", "break_end", "heartbeat", "note"]
    timestamp: datetime | None = None
    payload: dict[str, Any] = Field(default_factory=dict)


class CompleteSession(Body):
    """A request to complete a session."""

    efficiency: float | None = Field(default=None, ge=0, le=100)
    completed_at: datetime | None = None


@app.post("/api/sessions/start", status_code=201)
def start(user: User, body: StartSession) -> Answer:
    """Start a session."""
    return write("start_session", user, body, session_id=str(body.session_id or uuid4()), mode="soft")


@app.get("/api/sessions")
def list_sessions(user: User, status: str | None = None, limit: int = 50) -> Answer:
    """List the caller's sessions."""
    return Answer(data=call("list_sessions", p_user_id=user, p_status=status, p_limit=limit))


@app.get("/api/sessions/active")
def active(user: User) -> Answer:
    """Read the caller's active session."""
    return Answer(data=call("get_active_session", p_user_id=user))


@app.get("/api/sessions/{session_id}")
def get_session(user: User, session_id: UUID) -> Answer:
    """Read a session."""
    return Answer(data=call("get_session", p_user_id=user, p_session_id=str(session_id)))


@app.post("/api/sessions/{session_id}/heartbeat")
def heartbeat(user: User, session_id: UUID, body: Heartbeat | None = None) -> Answer:
    """Record a heartbeat."""
    event = {"event_id": str(uuid4()), "event_type": "heartbeat"}
    return write("record_session_event", user, body, session_id=str(session_id), **event)


@app.post("/api/sessions/{session_id}/audit", status_code=201)
def audit(user: User, session_id: UUID, body: AuditEvent) -> Answer:
    """Record an event."""
    return write("record_session_event", user, body, session_id=str(session_id), event_id=str(uuid4()))


@app.get("/api/sessions/{session_id}/audit")
def events(user: User, session_id: UUID) -> Answer:
    """Read a session's events."""
    return Answer(data=call("get_session_events", p_user_id=user, p_session_id=str(session_id)))


@app.post("/api/sessions/{session_id}/complete")
def complete(user: User, session_id: UUID, body: CompleteSession | None = None) -> Answer:
    """Complete a session."""
    return write("complete_session", user, body, session_id=str(session_id), mode="soft")


@app.post("/api/sessions/{session_id}/abandon")
def abandon(user: User, session_id: UUID) -> Answer:
    """Abandon a session."""
    return write("abandon_session", user, session_id=str(session_id))


handler = create_handler(app)
