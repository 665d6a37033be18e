"""HTTP in and out of the gamification domain."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query

from gamification import service
from gamification.models import Badge, LeaderboardPage, LedgerEntry, Period, Streaks, UserBadges, XpSummary
from studysync.auth.dependencies import CurrentUser, UserInPath
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router

router = create_router("gamification", prefix="/api/gamification")

PeriodStart = Annotated[date | None, Query(description="The first day of a past period; absent: the current one.")]


@router.get("/xp/history/{user_id}", response_model=Page[LedgerEntry])
async def xp_history(
    caller: CurrentUser, user_id: UserInPath, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Any:
    """List the own awards, newest first."""
    return await service.history(caller, user_id, limit, cursor)


@router.get("/xp/{user_id}", response_model=Success[XpSummary])
async def xp(caller: CurrentUser, user_id: UserInPath) -> Any:
    """Sum up a user's XP."""
    return {"data": await service.read(caller, "get_xp", user_id)}


@router.get("/badges", response_model=Success[list[Badge]])
async def badges(_caller: CurrentUser) -> Any:
    """List all badges that there are."""
    return {"data": await service.catalogue()}


@router.get("/badges/{user_id}", response_model=Success[UserBadges])
async def user_badges(caller: CurrentUser, user_id: UserInPath) -> Any:
    """List a user's badges, and how far they are with the others."""
    return {"data": await service.read(caller, "get_user_badges", user_id)}


@router.get("/streaks/{user_id}", response_model=Success[Streaks])
async def streaks(caller: CurrentUser, user_id: UserInPath) -> Any:
    """Tell a user's streak."""
    return {"data": await service.streaks(caller, user_id)}


@router.get("/leaderboard/{period}", response_model=LeaderboardPage)
async def leaderboard(
    caller: CurrentUser,
    period: Period,
    period_start: PeriodStart = None,
    space_id: UUID | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Any:
    """Rank users by the XP of a period, everywhere or within a space."""
    board = await service.leaderboard(caller, period, period_start, space_id, limit, cursor)
    return {"data": board, "next_cursor": board["next_cursor"]}
