"""HTTP routes of the gamification domain."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import Query

from gamification import leaderboards, service
from gamification.models import Badge, LeaderboardPage, LedgerEntry, Period, Streaks, UserBadges, XpSummary
from studysync.auth.dependencies import CurrentUser, UserInPath
from studysync.web.conditional import conditional_get
from studysync.web.pagination import DEFAULT_LIMIT, Cursor, Limit
from studysync.web.responses import Page, Success
from studysync.web.routing import create_router

router = create_router("gamification", prefix="/api/gamification")

PeriodStart = Annotated[date | None, Query(description="The first day of a past period. Default: the current one.")]


@router.get("/xp/history/{user_id}")
async def xp_history(
    caller: CurrentUser, user_id: UserInPath, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[LedgerEntry]:
    """List your awards, newest first."""
    return await service.history(caller, user_id, limit, cursor)


@router.get("/xp/{user_id}")
async def xp(caller: CurrentUser, user_id: UserInPath) -> Success[XpSummary]:
    """Get a user's XP, level and tier."""
    return Success(data=await service.xp(caller, user_id))


@conditional_get(router, "/badges")
async def badges(_caller: CurrentUser) -> Success[list[Badge]]:
    """List all badges."""
    return Success[list[Badge]].model_validate({"data": await service.catalogue()})


@conditional_get(router, "/badges/{user_id}")
async def user_badges(caller: CurrentUser, user_id: UserInPath) -> Success[UserBadges]:
    """Get a user's badges, and their progress towards those not earned yet."""
    return Success(data=await service.user_badges(caller, user_id))


@router.get("/streaks/{user_id}")
async def streaks(caller: CurrentUser, user_id: UserInPath) -> Success[Streaks]:
    """Get a user's streak."""
    return Success(data=await service.streaks(caller, user_id))


@conditional_get(router, "/leaderboard/{period}")
async def leaderboard(
    caller: CurrentUser,
    period: Period,
    period_start: PeriodStart = None,
    space_id: UUID | None = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> LeaderboardPage:
    """Get the leaderboard of a period, for all users or for one space."""
    board = await leaderboards.leaderboard(caller, period, period_start, space_id, limit, cursor)
    return LeaderboardPage(data=board, next_cursor=board.next_cursor)
