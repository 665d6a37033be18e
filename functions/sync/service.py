"""Applies batches of offline events, and lists changes for other devices."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from studysync.auth.tokens import Caller
from studysync.aws.schedules import purge
from studysync.aws.switches import suspicion_mode
from studysync.db.client import database
from studysync.errors import REQUEST_TOO_LARGE, ApiError
from studysync.fields import RequestBody, Timestamp, spell_times
from studysync.telemetry.logging import app_logger, log_name
from studysync.web.idempotency import WriteRequest
from studysync.web.pagination import DEFERRED, BigCount, decode_cursor, encode_cursor, page
from studysync.web.response_size import fit_to_response
from studysync.web.responses import Page
from sync.events import read_event
from sync.models import (
    MAX_EVENTS,
    AppliedBatch,
    AppliedRetry,
    Changes,
    RejectedEvent,
    RetriedEvent,
    SyncBatch,
    SyncResult,
    SyncStatus,
)

_REJECTED_POSITION: TypeAdapter[tuple[datetime, UUID]] = TypeAdapter(tuple[Timestamp, UUID], config=DEFERRED)
_CHANGES_POSITION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[BigCount], config=DEFERRED)
_CHANGES_ROUTE = "/api/sync/changes"

_EARNED = {"xp_awarded", "completed_count"}  # of this call, not of the one it repeats


async def apply_batch(write: WriteRequest, body: SyncBatch) -> SyncResult:
    """Apply a batch in one transaction.

    Raises:
        ApiError: REQUEST_TOO_LARGE, more than 500 events. An invalid event is reported in its result.
    """
    if len(body.events) > MAX_EVENTS:
        raise ApiError(REQUEST_TOO_LARGE, f"A batch has at most {MAX_EVENTS} events.", {"max_events": MAX_EVENTS})
    events = [read_event(raw, write.caller.user_id) for raw in body.events]
    batch = body.model_copy(update={"events": events, "last_sync": None})
    applied = await write.run("sync_offline", AppliedBatch, batch, audited=False, mode=suspicion_mode())
    app_logger.log_business_event(
        event_type="offline_batch",
        client_id=log_name(body.client_id),
        **applied.model_dump(include={"synced_count", "duplicate_count", "rejected_count", *_EARNED}),
    )
    return SyncResult(**dict(applied), cursor=_cursor(applied.last))


async def rejected(caller: Caller, limit: int, cursor: str | None) -> Page[RejectedEvent]:
    """Return a page of the caller's rejected events, the last received first."""
    after = decode_cursor(cursor, _REJECTED_POSITION)
    rows = await database().call(
        "get_rejected_events",
        p_user_id=str(caller.user_id),
        p_limit=limit,
        p_after_at=after[0].isoformat() if after else None,
        p_after_id=str(after[1]) if after else None,
    )
    return page(Page[RejectedEvent], rows, limit, lambda row: [row["received_at"], row["event_id"]])


async def retry(write: WriteRequest, event_id: UUID, body: RequestBody | None) -> RetriedEvent:
    """Retry a rejected event, and the events that waited for it."""
    mode = suspicion_mode()
    applied = await write.run(
        "retry_rejected_event", AppliedRetry, body, audited=False, event_id=str(event_id), mode=mode
    )
    app_logger.log_business_event(event_type="event_retried", **applied.model_dump(include=_EARNED))
    return applied


async def changes(caller: Caller, limit: int, cursor: str | None) -> Changes:
    """Return what changed for the caller after `cursor`, oldest first.

    Raises:
        ApiError: VALIDATION_ERROR, the cursor is another user's or forged.
    """
    position = decode_cursor(cursor, _CHANGES_POSITION)
    after = position[0] if position else 0
    found = await database().call("get_changes", p_user_id=str(caller.user_id), p_after=after, p_limit=limit)
    rows = fit_to_response(found["changes"][:limit])
    reached = _cursor(rows[-1]["seq"] if rows else after)
    more = len(found["changes"]) > len(rows)
    return Changes.model_validate(
        {"data": spell_times(rows), "next_cursor": reached if more else None, "cursor": reached}
    )


async def status(caller: Caller, client_id: str | None) -> SyncStatus:
    """Return what the server has received from a client, or from all of the caller's."""
    found = await database().call("get_sync_status", p_user_id=str(caller.user_id), p_client_id=client_id)
    return SyncStatus.model_validate({**found, "cursor": _cursor(found["last"])})


async def purge_sync_events() -> int:
    """Delete events that are too old to be sent again, on a schedule. Returns their number."""
    return await purge("purge_sync_events")


def _cursor(seq: int) -> str:
    return encode_cursor([seq], _CHANGES_ROUTE)
