"""HTTP in and out of the sessions domain."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BeforeValidator

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
from studysync.db.client import database
from studysync.fields import RequestBody
from studysync.web.completed_session import SessionCompleted
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit, absent_when_empty
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router

router = create_router("sessions", prefix="/api/sessions")

StatusFilter = Annotated[Status | None, BeforeValidator(absent_when_empty)]

MAX_EVENTS = 1000
"""Rows a page, also where none are asked for: old clients take the first page for all there is. It is the events of any
session that somebody sat through; fewer where their payloads would be too large for one answer."""
EventsLimit = Annotated[int, Query(ge=1, le=MAX_EVENTS, description="Rows a page.")]


@router.post("/start", status_code=201, response_model=Success[SessionStarted])
async def start(write: Write, body: StartSession) -> Any:
    """Begin a session; only one can be active."""
    return {"data": await service.start(write, body)}


@router.get("", response_model=Page[Session])
async def list_sessions(
    caller: CurrentUser, status: StatusFilter = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Any:
    """List the own sessions, newest first."""
    return await service.list_own(caller.user_id, status, limit, cursor)


@router.get("/active", response_model=Success[Session])
async def active(caller: CurrentUser) -> Any:
    """Read the session that runs; 404 when none does."""
    return {"data": await database().call("get_active_session", p_user_id=str(caller.user_id))}


@router.get("/{session_id}", response_model=Success[Session])
async def get_session(caller: CurrentUser, session_id: UUID) -> Any:
    """Read an own session."""
    return {"data": await service.read("get_session", caller.user_id, session_id)}


@router.post("/{session_id}/heartbeat", response_model=Success[HeartbeatCounted])
async def heartbeat(write: Write, session_id: UUID, body: Heartbeat | None = None) -> Any:
    """Say that the session goes on."""
    return {"data": await service.record_event(write, session_id, body)}


@router.post("/{session_id}/audit", response_model=Success[SessionEvent])
async def record_event(write: Write, session_id: UUID, body: AuditEvent) -> Any:
    """Record something that happened in the session."""
    return {"data": await service.record_event(write, session_id, body)}


@router.get("/{session_id}/audit", response_model=Page[SessionEvent])
async def list_events(
    caller: CurrentUser, session_id: UUID, limit: EventsLimit = MAX_EVENTS, cursor: Cursor = None
) -> Any:
    """List every event of the session in order, the lifecycle's own too."""
    return await service.list_events(caller.user_id, session_id, limit, cursor)


@router.post("/{session_id}/complete", response_model=Success[SessionCompleted])
async def complete(write: Write, session_id: UUID, body: CompleteSession | None = None) -> Any:
    """End the session and earn its XP."""
    return {"data": await service.complete(write, session_id, body)}


@router.post("/{session_id}/abandon", response_model=Success[SessionAbandoned])
async def abandon(write: Write, session_id: UUID, body: RequestBody | None = None) -> Any:
    """End the session without XP."""
    return {"data": await service.abandon(write, session_id, body)}
