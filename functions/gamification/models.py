"""Answers of the gamification domain (docs/contract.md: "Gamification")."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from studysync.web.responses import Success


class Period(StrEnum):
    """What a leaderboard covers: an ISO week, a calendar month (both in UTC), or everything."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    ALL_TIME = "all-time"

    def begins_on(self, day: date) -> bool:
        """Tell whether a period of this kind begins on `day`."""
        if self is Period.WEEKLY:
            return day.isoweekday() == 1
        return day.day == 1 if self is Period.MONTHLY else day == date(1970, 1, 1)


class XpSummary(BaseModel):
    """A user's XP."""

    user_id: UUID
    total_xp: int
    level: int
    level_progress: float = Field(ge=0, lt=1, description="How much of the current level is done.")
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
    milestone: int | None = Field(description="The XP from sessions that a milestone stands for.")
    day: date = Field(description="The user's local day.")
    occurred_at: datetime
    created_at: datetime


class Badge(BaseModel):
    """A badge of the catalogue: earned when `metric` reaches `threshold`."""

    key: str
    name: str
    description: str
    metric: str
    threshold: int


class EarnedBadge(Badge):
    """A badge that the user has."""

    earned_at: datetime


class AvailableBadge(Badge):
    """A badge that the user does not have yet."""

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
    at_risk: bool = Field(description="The streak ends tonight unless a session is completed.")
    bonus_xp: int = Field(description="What the streak adds to a session.")
    next_milestone: int | None = Field(description="The next streak length with a badge; null past the last.")


class LeaderboardEntry(BaseModel):
    """A place on a leaderboard."""

    rank: int
    user_id: UUID
    username: str
    xp: int = Field(description="Earned in the period.")
    level: int


class OwnPlace(LeaderboardEntry):
    """The caller's own place; without XP in the period there is no rank."""

    rank: int | None  # type: ignore[assignment]


class Leaderboard(BaseModel):
    """A page of a leaderboard; equal XP shares the higher rank."""

    period: Period
    period_start: date
    entries: list[LeaderboardEntry]
    me: OwnPlace
    total_users: int
    generated_at: datetime
    next_cursor: str | None


class LeaderboardPage(Success[Leaderboard]):
    """A page has its cursor beside `data`, as all lists do; old clients read the one within."""

    next_cursor: str | None
