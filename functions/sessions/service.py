"""The operations on sessions. The database enforces the rules that must survive races."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import TypedDict
from uuid import UUID, uuid4

from pydantic import TypeAdapter

from sessions.models import (
    AuditEvent,
    CompleteSession,
    Heartbeat,
    HeartbeatCounted,
    Session,
    SessionAbandoned,
    SessionEvent,
    SessionStarted,
    StartSession,
)
from studysync.aws.schedules import end_of_run, in_steps, purge
from studysync.aws.switches import suspicion_mode
from studysync.db.client import database
from studysync.errors import AUDIT_VALIDATION_FAILED, CONFLICT, ApiError
from studysync.fields import RequestBody, Timestamp
from studysync.telemetry.logging import app_logger
from studysync.web.completed_session import SessionCompleted
from studysync.web.event_payload import payload_error
from studysync.web.idempotency import WriteRequest
from studysync.web.pagination import DEFERRED, BigCount, decode_cursor, page
from studysync.web.responses import Page

_POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[Timestamp, UUID], config=DEFERRED)
_RECORD = "record_session_event"
_EVENT_POSITION: TypeAdapter[tuple[datetime, int]] = TypeAdapter(tuple[Timestamp, BigCount], config=DEFERRED)


async def start(write: WriteRequest, body: StartSession) -> SessionStarted:
    """Start a session. Without an id from the client, one is chosen here, so that our own retry starts only one."""
    session_id = body.session_id or uuid4()
    mode = suspicion_mode()
    return await write.run("start_session", SessionStarted, body, audited=False, session_id=str(session_id), mode=mode)


async def record_heartbeat(write: WriteRequest, session_id: UUID, body: Heartbeat | None) -> HeartbeatCounted:
    """Record a heartbeat at the server's time."""
    return await write.run(_RECORD, HeartbeatCounted, body, audited=False, **_event(session_id, "heartbeat"))


async def record_event(write: WriteRequest, session_id: UUID, body: AuditEvent) -> SessionEvent:
    """Record an event of the client at the server's time.

    Raises:
        ApiError: AUDIT_VALIDATION_FAILED, the payload cannot be stored.
    """
    if wrong := payload_error(body.payload):
        raise ApiError(AUDIT_VALIDATION_FAILED, wrong, {"field": "payload"})
    return await write.run(_RECORD, SessionEvent, body, audited=False, **_event(session_id, body.event_type))


def _event(session_id: UUID, event_type: str) -> dict[str, str]:
    return {"session_id": str(session_id), "event_id": str(uuid4()), "event_type": event_type}


async def complete(write: WriteRequest, session_id: UUID, body: CompleteSession | None) -> SessionCompleted:
    """Complete a session; completing it again returns the same answer.

    Raises:
        ApiError: CONFLICT if other sessions cover it. It ends all the same, as abandoned, so that the next can start.
    """
    session = {"session_id": str(session_id), "mode": suspicion_mode()}
    try:
        outcome = await write.run("complete_session", SessionCompleted, body, audited=False, **session)
    except ApiError as error:
        if error.kind is CONFLICT:
            await database().call("end_covered_session", p_user_id=str(write.caller.user_id), p_args=session)
        raise
    app_logger.log_business_event(
        event_type="session_completed", session_id=str(session_id), xp_awarded=outcome.xp_awarded
    )
    return outcome


async def abandon(write: WriteRequest, session_id: UUID, body: RequestBody | None) -> SessionAbandoned:
    """End a session without XP; what waited for its end is judged then."""
    return await write.run(
        "abandon_session", SessionAbandoned, body, audited=False, session_id=str(session_id), mode=suspicion_mode()
    )


async def list_own(user_id: UUID, status: str | None, limit: int, cursor: str | None) -> Page[Session]:
    """Return a page of the caller's sessions, newest first."""
    after = decode_cursor(cursor, _POSITION)
    rows = await database().call(
        "list_sessions",
        p_user_id=str(user_id),
        p_status=status,
        p_limit=limit,
        p_after_started_at=after[0].isoformat() if after else None,
        p_after_id=str(after[1]) if after else None,
    )
    return page(Page[Session], rows, limit, lambda row: [row["started_at"], row["session_id"]])


async def list_events(user_id: UUID, session_id: UUID, limit: int, cursor: str | None) -> Page[SessionEvent]:
    """Return a page of the events of the caller's session, in order."""
    after = decode_cursor(cursor, _EVENT_POSITION)
    rows = await database().call(
        "get_session_events",
        p_user_id=str(user_id),
        p_session_id=str(session_id),
        p_limit=limit,
        p_after_at=after[0].isoformat() if after else None,
        p_after_seq=after[1] if after else None,
    )
    return page(Page[SessionEvent], rows, limit, lambda row: [row["occurred_at"], row["seq"]])


async def get(user_id: UUID, session_id: UUID) -> Session:
    """Return one of the caller's sessions."""
    found = await database().call("get_session", p_user_id=str(user_id), p_session_id=str(session_id))
    return Session.model_validate(found)


async def get_active(user_id: UUID) -> Session:
    """Return the caller's active session; raises NOT_FOUND if there is none."""
    return Session.model_validate(await database().call("get_active_session", p_user_id=str(user_id)))


class ClosedSessions(TypedDict):
    """The result of a step: sessions ended in either way, the XP they earned, and those to check again later."""

    completed: int
    abandoned: int
    xp_awarded: int
    postponed: int


async def close_silent_sessions() -> dict[str, int]:
    """End sessions that were silent for 60 minutes, on a schedule. Returns the number of sessions by outcome."""
    closed: Counter[str] = Counter(completed=0, abandoned=0, xp_awarded=0)

    async def step() -> bool:
        some: ClosedSessions = await database().call("close_silent_sessions", p_mode=suspicion_mode())
        closed.update({name: some[name] for name in ("completed", "abandoned", "xp_awarded")})
        return bool(some["completed"] + some["abandoned"] + some["postponed"])

    until = end_of_run()
    await in_steps(step, until=until)
    for housekeeping in ("archive_sessions", "announce_lost_spaces", "purge_session_trails", "purge_idempotency_keys"):
        await purge(housekeeping, until=until)
    app_logger.log_business_event(event_type="silent_sessions_closed", **closed)
    return dict(closed)
