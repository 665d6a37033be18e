"""When a cached leaderboard page contradicts the caller's own line, which is always current."""

from __future__ import annotations

from typing import Any

import pytest

from gamification.leaderboards import _contradicts

ME = {"user_id": "me", "username": "ada", "xp": 70, "rank": 2}
OTHERS = [{"user_id": "a", "username": "bob", "xp": 90}, {"user_id": "b", "username": "eve", "xp": 50}]
MINE = {"user_id": "me", "username": "ada", "xp": 70, "rank": 2}


def contradicts(entries: list[dict[str, Any]], *, limit: int = 1, period: str = "2026-01-05", **me: Any) -> bool:
    standing: Any = {"period_start": "2026-01-05", "me": {**ME, **me}, "total_users": len(entries)}
    rows: Any = entries
    return _contradicts(standing, period, rows, limit)


def test_a_page_that_shows_the_caller_as_they_stand_is_kept() -> None:
    """A page that shows the caller correctly is not read again."""
    assert not contradicts([OTHERS[0], MINE, OTHERS[1]])


@pytest.mark.parametrize("changed", [{"xp": 71}, {"xp": 69}, {"username": "ada2"}, {"rank": 3}])
def test_a_page_that_shows_the_caller_otherwise_is_not(changed: dict[str, Any]) -> None:
    """A page from before an award, a correction or a rename is not used."""
    assert contradicts([OTHERS[0], MINE, OTHERS[1]], **changed)


def test_a_page_of_a_period_that_is_over_is_not() -> None:
    """A page is not used after its week ended, even if it shows the caller correctly."""
    assert contradicts([MINE], period="2025-12-29")


def test_the_first_page_must_show_who_is_above_its_last_line() -> None:
    """A caller with no more XP than the last line need not be on the page."""
    assert contradicts(OTHERS)
    assert not contradicts(OTHERS, xp=50)
    assert not contradicts(OTHERS, xp=40)


def test_a_first_page_with_free_places_must_show_everybody() -> None:
    """The page has room, so every caller with a rank belongs on it."""
    assert contradicts(OTHERS, limit=50, xp=10)


def test_an_empty_first_page_contradicts_whoever_has_a_rank() -> None:
    """The first user of a week has just earned XP; a caller without XP is on no page."""
    assert contradicts([])
    assert not contradicts([], xp=0, rank=None)
    assert not contradicts(OTHERS, xp=None, rank=None)
