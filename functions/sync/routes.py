"""HTTP routes of the sync domain."""

from __future__ import annotations

from uuid import UUID

from studysync.auth.dependencies import CurrentUser
from studysync.fields import RequestBody
from studysync.web.conditional import conditional_get
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router
from sync import service
from sync.models import Changes, ClientId, RejectedEvent, RetriedEvent, SyncBatch, SyncResult, SyncStatus

router = create_router("sync", prefix="/api/sync")


@router.post("/offline")
async def sync_offline(write: Write, body: SyncBatch) -> Success[SyncResult]:
    """Upload events that happened offline. Each is applied exactly once."""
    return Success(data=await service.apply_batch(write, body))


@router.get("/rejected")
async def list_rejected(
    caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[RejectedEvent]:
    """List your rejected events, each with its reason."""
    return await service.rejected(caller, limit, cursor)


@router.post("/rejected/{event_id}/retry")
async def retry(write: Write, event_id: UUID, body: RequestBody | None = None) -> Success[RetriedEvent]:
    """Retry a rejected event, and the events that waited for it."""
    return Success(data=await service.retry(write, event_id, body))


@conditional_get(router, "/changes")
async def changes(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Changes:
    """List what changed for you since a cursor, so that your other devices can catch up."""
    return await service.changes(caller, limit, cursor)


@router.get("/status")
async def status(caller: CurrentUser, client_id: ClientId | None = None) -> Success[SyncStatus]:
    """Get what the server has received from a client."""
    return Success(data=await service.status(caller, client_id))
