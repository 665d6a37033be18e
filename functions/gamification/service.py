"""Reads XP, badges and streaks. All of it is earned by completing sessions, in other domains."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from gamification.models import LedgerEntry, Streaks, UserBadges, XpSummary
from resilience import cached
from studysync.auth.tokens import Caller
from studysync.aws.schedules import in_steps
from studysync.db.client import database
from studysync.errors import forbidden
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.logging import app_logger
from studysync.web.pagination import DEFERRED, BigCount, decode_cursor, page
from studysync.web.responses import Page

_LEDGER_POSITION: TypeAdapter[tuple[int]] = TypeAdapter(tuple[BigCount], config=DEFERRED)


async def xp(caller: Caller, user_id: UUID) -> XpSummary:
    """Return a user's XP."""
    return XpSummary.model_validate(await _read(caller, "xp", user_id))


async def user_badges(caller: Caller, user_id: UUID) -> UserBadges:
    """Return a user's badges."""
    return UserBadges.model_validate(await _read(caller, "user_badges", user_id))


async def streaks(caller: Caller, user_id: UUID) -> Streaks:
    """Return a user's streak. Other users see no dates if the user does not share activity."""
    found = await _read(caller, "streaks", user_id)
    if not found["share_activity"] and user_id != caller.user_id:
        found |= {"last_active_date": None, "active_today": False, "at_risk": False}
    return Streaks.model_validate(found)


async def _read(caller: Caller, what: str, user_id: UUID) -> Any:
    """Read a user's data; the audit trail records access by another user."""
    found = await database().call(f"get_{what}", p_user_id=str(user_id))
    audit_logger.log_access_by(caller.user_id, what, user_id)
    return found


async def history(caller: Caller, user_id: UUID, limit: int, cursor: str | None) -> Page[LedgerEntry]:
    """Return a page of the caller's own ledger, newest first.

    Raises:
        ApiError: AUTHORIZATION_ERROR, it is another user's; NOT_FOUND, no such user.
    """
    if user_id != caller.user_id:
        await database().call("get_xp", p_user_id=str(user_id))
        raise forbidden("You can only view your own XP history.")
    before = decode_cursor(cursor, _LEDGER_POSITION)
    rows = await database().call(
        "get_xp_history", p_user_id=str(user_id), p_limit=limit, p_before=before[0] if before else None
    )
    return page(Page[LedgerEntry], rows, limit, lambda row: [row["entry_id"]])


@cached(ttl=3600, key_prefix="badges", stale_while_revalidate=600, stale_if_error=86400)
async def catalogue() -> list[dict[str, str | int]]:
    """Return all badges, as rows of `Badge`."""
    badges: list[dict[str, str | int]] = await database().call("get_badges")
    return badges


async def backfill_badges() -> int:
    """Award new badges to users who already qualify, on a schedule. Returns the number of users left to do."""
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
