"""HTTP in and out of the sync domain."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studysync.auth.dependencies import CurrentUser, refuse_other_user
from studysync.fields import RequestBody
from studysync.web.idempotency import Write
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router
from sync import service
from sync.models import Changes, ClientId, KeptEvent, RetriedEvent, SyncBatch, SyncResult, SyncStatus

router = create_router("sync", prefix="/api/sync")


@router.post("/offline", response_model=Success[SyncResult])
async def sync_offline(write: Write, body: SyncBatch) -> Any:
    """Apply what happened offline, each event exactly once."""
    refuse_other_user(write.caller.user_id, body)
    return {"data": await service.apply_batch(write, body)}


@router.get("/rejected", response_model=Page[KeptEvent])
async def list_rejected(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Any:
    """List the events that were rejected, with the reason of each."""
    return await service.rejected(caller, limit, cursor)


@router.post("/rejected/{event_id}/retry", response_model=Success[RetriedEvent])
async def retry(write: Write, event_id: UUID, body: RequestBody | None = None) -> Any:
    """Try a rejected event again; what waited for it comes with it."""
    refuse_other_user(write.caller.user_id, body)
    return {"data": await service.retry(write, event_id)}


@router.get("/changes", response_model=Changes)
async def changes(caller: CurrentUser, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Any:
    """List what changed for the caller, so that a second device catches up."""
    return await service.changes(caller, limit, cursor)


@router.get("/status", response_model=Success[SyncStatus])
async def status(caller: CurrentUser, client_id: ClientId | None = None) -> Any:
    """Tell what the server has from a client."""
    return {"data": await service.status(caller, client_id)}
