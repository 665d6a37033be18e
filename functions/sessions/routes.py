"""HTTP routes of the sessions domain."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from sessions import service
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
    Status,
)
from studysync.auth.dependencies import CurrentUser
from studysync.fields import RequestBody
from studysync.web.completed_session import SessionCompleted
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router

router = create_router("sessions", prefix="/api/sessions")

MAX_EVENTS = 1000
"""Rows per page, also by default, because old clients read only the first page. It fits all events of any real session;
fewer if their payloads would be too large for one response."""
EventsLimit = Annotated[int, Query(ge=1, le=MAX_EVENTS, description="The maximum number of rows on the page.")]


@router.post("/start", status_code=201)
async def start(write: Write, body: StartSession) -> Success[SessionStarted]:
    """Start a session. Only one can be active."""
    return Success(data=await service.start(write, body))


@router.get("")
async def list_sessions(
    caller: CurrentUser, status: Status | None = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[Session]:
    """List your sessions, newest first."""
    return await service.list_own(caller.user_id, status, limit, cursor)


@router.get("/active")
async def active(caller: CurrentUser) -> Success[Session]:
    """Get your active session. Returns 404 if there is none."""
    return Success(data=await service.get_active(caller.user_id))


@router.get("/{session_id}")
async def get_session(caller: CurrentUser, session_id: UUID) -> Success[Session]:
    """Get one of your sessions."""
    return Success(data=await service.get(caller.user_id, session_id))


@router.post("/{session_id}/heartbeat")
async def heartbeat(write: Write, session_id: UUID, body: Heartbeat | None = None) -> Success[HeartbeatCounted]:
    """Record a heartbeat."""
    return Success(data=await service.record_heartbeat(write, session_id, body))


@router.post("/{session_id}/audit")
async def record_event(write: Write, session_id: UUID, body: AuditEvent) -> Success[SessionEvent]:
    """Record an event of the session."""
    return Success(data=await service.record_event(write, session_id, body))


@router.get("/{session_id}/audit")
async def list_events(
    caller: CurrentUser, session_id: UUID, limit: EventsLimit = MAX_EVENTS, cursor: Cursor = None
) -> Page[SessionEvent]:
    """List the events of the session in order, including its start and end."""
    return await service.list_events(caller.user_id, session_id, limit, cursor)


@router.post("/{session_id}/complete")
async def complete(write: Write, session_id: UUID, body: CompleteSession | None = None) -> Success[SessionCompleted]:
    """End the session and earn its XP."""
    return Success(data=await service.complete(write, session_id, body))


@router.post("/{session_id}/abandon")
async def abandon(write: Write, session_id: UUID, body: RequestBody | None = None) -> Success[SessionAbandoned]:
    """End the session without XP."""
    return Success(data=await service.abandon(write, session_id, body))
