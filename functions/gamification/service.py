"""What gamification shows. Everything here is earned elsewhere: by completing sessions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from gamification.models import Period
from resilience import cached
from studysync.auth.tokens import Caller
from studysync.aws.schedules import in_steps
from studysync.db.client import database
from studysync.errors import ApiError, forbidden, invalid
from studysync.fields import Timestamp
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.logging import app_logger
from studysync.web.pagination import DEFERRED, MAX_LIMIT, BigCount, Count, decode_cursor, encode_cursor, page

_LEDGER_POSITION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[BigCount], config=DEFERRED)
_BOARD_POSITION: TypeAdapter[tuple[int, datetime, UUID]] = TypeAdapter(tuple[Count, Timestamp, UUID], config=DEFERRED)


async def read(caller: Caller, function: str, user_id: UUID) -> Any:
    """Return what `function` reads of a user; that somebody else looked is in the audit trail."""
    found = await database().call(function, p_user_id=str(user_id))
    audit_logger.log_access_by(caller.user_id, function.removeprefix("get_"), user_id)
    return found


async def streaks(caller: Caller, user_id: UUID) -> dict[str, Any]:
    """Return a user's streak; others see no days of one who does not share them."""
    found: dict[str, Any] = await read(caller, "get_streaks", user_id)
    if not found.pop("share_activity") and user_id != caller.user_id:
        found |= {"last_active_date": None, "active_today": False, "at_risk": False}
    return found


async def history(caller: Caller, user_id: UUID, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return a page of the caller's own ledger, newest first.

    Raises:
        ApiError: AUTHORIZATION_ERROR, it is somebody else's; NOT_FOUND, nobody's.
    """
    if user_id != caller.user_id:
        await database().call("get_xp", p_user_id=str(user_id))
        raise forbidden("Everybody sees their own history only.")
    before = decode_cursor(cursor, _LEDGER_POSITION)
    rows = await database().call(
        "get_xp_history", p_user_id=str(user_id), p_limit=limit, p_before=before[0] if before else None
    )
    return page(rows, limit, lambda row: [row["entry_id"]])


@cached(ttl=3600, key_prefix="badges", stale_while_revalidate=600, stale_if_error=86400)
async def catalogue() -> Any:
    """Return all badges that there are."""
    return await database().call("get_badges")


async def leaderboard(
    caller: Caller, period: Period, period_start: date | None, space_id: UUID | None, limit: int, cursor: str | None
) -> dict[str, Any]:
    """Return a page of a leaderboard with the caller's own line.

    The first pages of periods that run are the same for everybody and up to a minute old; the own line never is, nor a
    page that contradicts it. Nothing else is kept: a caller can ask for any number of other pages.

    Raises:
        ApiError: VALIDATION_ERROR, no such period begins on `period_start`; NOT_FOUND, no such space.
    """
    if period_start is not None and not period.begins_on(period_start):
        raise invalid(f"No {period} period begins on this day.", "query.period_start")
    after = decode_cursor(cursor, _BOARD_POSITION)
    question = {
        "p_period": period.value,
        "p_period_start": period_start.isoformat() if period_start else None,
        "p_space_id": str(space_id) if space_id else None,
        "p_limit": limit,
        "p_after_xp": after[0] if after else None,
        "p_after_at": after[1].isoformat() if after else None,
        "p_after_id": str(after[2]) if after else None,
    }
    if after is not None or period_start is not None:
        return _page(await _read_board(caller, question, with_page=True), limit)
    return _page(await _first_page(caller, question), limit)


async def _first_page(caller: Caller, question: dict[str, Any]) -> dict[str, Any]:
    limit = question["p_limit"]
    question = {**question, "p_limit": MAX_LIMIT}  # kept once, whatever the caller's limit
    own: dict[str, Any] = {}
    leads = False

    async def read() -> dict[str, Any]:
        nonlocal leads
        leads = True
        board = await _read_board(caller, question, with_page=True)
        own.update(me=board.pop("me"), total_users=board["total_users"])
        return board

    try:
        shared = await _shared_page(question, read)
    except ApiError:
        if leads:
            raise
        # Another caller's refusal, who asked at the same moment; this one may be allowed what that one is not.
        return await _read_board(caller, question, with_page=True)
    shared = {**shared, "entries": shared["entries"][: limit + 1]}
    if not own:
        own = await _read_board(caller, question, with_page=False)
        if _contradicts(own, shared, limit):
            # Read past the cache: the page is as good as before for everybody else.
            return await _read_board(caller, question, with_page=True)
    # What a rank is out of belongs to the rank.
    return {**shared, "me": own["me"], "total_users": own["total_users"]}


async def _read_board(caller: Caller, question: dict[str, Any], *, with_page: bool) -> dict[str, Any]:
    board: dict[str, Any] = await database().call(
        "get_leaderboard", p_caller_id=str(caller.user_id), p_with_page=with_page, **question
    )
    return board


@cached(
    ttl=60,
    key_prefix="leaderboard",
    key=lambda question, _read: question,
    stale_while_revalidate=30,
    stale_if_error=600,
)
async def _shared_page(
    question: dict[str, Any],  # noqa: ARG001  # the key
    read: Callable[[], Awaitable[dict[str, Any]]],
) -> dict[str, Any]:
    return await read()


def _contradicts(own: dict[str, Any], shared: dict[str, Any], limit: int) -> bool:
    """Tell whether a kept first page is of another period, or shows the caller otherwise than they stand."""
    if own["period_start"] != shared["period_start"]:
        return True
    me, entries = own["me"], shared["entries"]
    shown = next((entry for entry in entries if entry["user_id"] == me["user_id"]), None)
    if shown is not None:
        return any(shown[name] != me[name] for name in ("rank", "xp", "username"))
    # A page with free places shows everybody; a full one those above its last line.
    return me["rank"] is not None and (len(entries) <= limit or bool(me["xp"] > entries[-1]["xp"]))


def _page(board: dict[str, Any], limit: int) -> dict[str, Any]:
    entries = board["entries"]
    last = entries[limit - 1] if len(entries) > limit else None
    position = [last["xp"], last["reached_at"], last["user_id"]] if last else None
    return {**board, "entries": entries[:limit], "next_cursor": encode_cursor(position) if position else None}


async def backfill_badges() -> int:
    """Give new badges to those who qualified before; the schedule calls it. Returns how many are not done yet."""
    left = begun = 0

    async def step() -> bool:
        nonlocal left, begun
        left = await database().call("backfill_badges")
        begun = begun or left
        return bool(left)

    await in_steps(step)
    if begun:
        app_logger.log_business_event(event_type="badges_backfilled", badges_left=left)
    return left
