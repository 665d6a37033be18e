"""What gamification shows. Everything here is earned elsewhere: by completing sessions."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from gamification.models import Period
from studysync.database import database
from studysync.errors import forbidden, invalid
from studysync.logging import app_logger
from studysync.pagination import decode_cursor, encode_cursor, page
from studysync.tokens import Caller

_LEDGER_POSITION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[int])
_BOARD_POSITION: TypeAdapter[tuple[int, datetime, UUID]] = TypeAdapter(tuple[int, datetime, UUID])


async def read(function: str, user_id: UUID) -> Any:
    """Return what `function` reads of a user."""
    return await database().call(function, p_user_id=str(user_id))


async def history(caller: Caller, user_id: UUID, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of the caller's own ledger, newest first.

    Raises:
        ApiError: AUTHORIZATION_ERROR, it is somebody else's.
    """
    if user_id != caller.user_id:
        raise forbidden("Everybody sees their own history only.")
    before = decode_cursor(cursor, _LEDGER_POSITION)
    rows = await database().call(
        "get_xp_history", p_user_id=str(user_id), p_limit=limit, p_before=before[0] if before else None
    )
    return page(rows, limit, lambda row: [row["entry_id"]])


async def leaderboard(
    caller: Caller, period: Period, period_start: date | None, space_id: UUID | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    """Return a page of a leaderboard with the caller's own line.

    Raises:
        ApiError: VALIDATION_ERROR, no such period begins on `period_start`; NOT_FOUND, no such space.
    """
    if period_start is not None and not period.begins_on(period_start):
        raise invalid(f"No {period} period begins on this day.", "query.period_start")
    after = decode_cursor(cursor, _BOARD_POSITION)
    board: dict[str, Any] = await database().call(
        "get_leaderboard",
        p_caller_id=str(caller.user_id),
        p_period=period,
        p_period_start=period_start.isoformat() if period_start else None,
        p_space_id=str(space_id) if space_id else None,
        p_limit=limit,
        p_with_page=True,
        p_after_xp=after[0] if after else None,
        p_after_at=after[1].isoformat() if after else None,
        p_after_id=str(after[2]) if after else None,
    )
    entries = board["entries"]
    last = entries[limit - 1] if len(entries) > limit else None
    position = [last["xp"], last["reached_at"], last["user_id"]] if last else None
    return {**board, "entries": entries[:limit], "next_cursor": encode_cursor(position) if position else None}


async def backfill_badges() -> int:
    """Give new badges to those who qualified before; the schedule calls it. Returns how many are not done yet."""
    left: int = await database().call("backfill_badges")
    if left:
        app_logger.log_business_event(event_type="badges_backfilled", badges_left=left)
    return left
