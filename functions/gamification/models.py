"""Responses of the gamification domain (docs/contract.md: "Gamification")."""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from studysync.fields import UtcDatetime
from studysync.web.responses import Success


class Period(StrEnum):
    """The period of a leaderboard: an ISO week, a calendar month (both in UTC), or all time."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ALL_TIME = "all-time"

    def begins_on(self, day: date) -> bool:
        """Return whether a period of this kind begins on `day`."""
        if self is Period.WEEKLY:
            return day.isoweekday() == 1
        return day.day == 1 if self is Period.MONTHLY else day == date(1970, 1, 1)


class XpSummary(BaseModel):
    """A user's XP."""

    user_id: UUID
    total_xp: int
    level: int
    level_progress: float = Field(ge=0, lt=1, description="Progress within the current level.")
    next_level_xp: int = Field(description="The total XP at which the next level begins.")
    xp_by_source: dict[str, int]
    last_30_days_xp: int
    tier: Literal["bronze", "silver", "gold", "platinum", "diamond"]


class LedgerEntry(BaseModel):
    """One award."""

    entry_id: int
    amount: int
    source: str
    session_id: UUID
    milestone: int | None = Field(description="The XP from sessions that reached the milestone.")
    day: date = Field(description="The user's local day.")
    occurred_at: UtcDatetime
    created_at: UtcDatetime


class Badge(BaseModel):
    """A badge, earned when `metric` reaches `threshold`."""

    key: str
    name: str
    description: str
    metric: str
    threshold: int


class EarnedBadge(Badge):
    """A badge that the user has earned."""

    earned_at: UtcDatetime


class AvailableBadge(Badge):
    """A badge that the user has not earned yet."""

    progress: float = Field(ge=0, le=1)


class UserBadges(BaseModel):
    """A user's badges."""

    earned_badges: list[EarnedBadge]
    available_badges: list[AvailableBadge]


class Streaks(BaseModel):
    """A user's streak, in days of the profile's time zone."""

    user_id: UUID
    current_streak: int
    best_streak: int
    last_active_date: date | None
    active_today: bool
    at_risk: bool = Field(description="True if the streak ends tonight unless you complete a session.")
    bonus_xp: int = Field(description="The XP that the streak adds to each session.")
    next_milestone: int | None = Field(description="The next streak length that earns a badge; null after the last.")


class LeaderboardEntry(BaseModel):
    """A place on a leaderboard."""

    rank: int
    user_id: UUID
    username: str
    xp: int = Field(description="Earned in the period.")
    level: int


class OwnPlace(LeaderboardEntry):
    """The caller's own place; `rank` is null without XP in the period."""

    rank: int | None  # type: ignore[assignment]


class Leaderboard(BaseModel):
    """A page of a leaderboard. Users with equal XP share the higher rank."""

    period: Period
    period_start: date
    entries: list[LeaderboardEntry]
    me: OwnPlace
    total_users: int
    generated_at: UtcDatetime
    next_cursor: str | None


class LeaderboardPage(Success[Leaderboard]):
    """A page has its cursor next to `data`, as all lists do; older clients read the one inside."""

    next_cursor: str | None
