"""XP, badges and streaks as clients see them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.timeline import completed_session


def test_xp_is_summed_up(student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]) -> None:
    """Total, level, progress, sources and the last 30 days are computed from the ledger."""
    now = clock.now()
    completed_session(sql, student.user_id, now - timedelta(days=40), 100)
    completed_session(sql, student.user_id, now - timedelta(minutes=1), 60)
    xp = student.get("/api/gamification/xp/me").json()["data"]
    assert (xp["total_xp"], xp["level"], xp["level_progress"], xp["next_level_xp"]) == (180, 2, 0.8, 200)
    assert xp["xp_by_source"] == {"session": 160, "focus_bonus": 20}
    assert (xp["last_30_days_xp"], xp["tier"]) == (70, "bronze")


def test_the_history_is_the_ledger_newest_first(student: Student, clock: DatabaseClock, sql: Any) -> None:
    """Pages cover every award exactly once, and only the user's own awards."""
    for hours in (4, 3, 2):
        completed_session(sql, student.user_id, clock.now() - timedelta(hours=hours), 30)
    rows, cursor = [], None
    while True:
        params = {"limit": 4} | ({"cursor": cursor} if cursor else {})
        page = student.get("/api/gamification/xp/history/me", params=params).json()
        rows += page["data"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sum(row["amount"] for row in rows) == student.get("/api/gamification/xp/me").json()["data"]["total_xp"]
    assert [row["entry_id"] for row in rows] == sorted((row["entry_id"] for row in rows), reverse=True)
    assert len(rows) == 6
    other = student.api.student().get(f"/api/gamification/xp/history/{student.user_id}")
    assert_problem(other, 403, "AUTHORIZATION_ERROR")


@pytest.mark.parametrize("what", ["xp", "badges", "streaks"])
def test_others_may_be_looked_at(api: Api, student: Student, what: str) -> None:
    """Students can read each other's XP, badges and streaks; an unknown user is a 404, a malformed id a 400."""
    assert api.student().get(f"/api/gamification/{what}/{student.user_id}").status_code == 200
    assert_problem(student.get(f"/api/gamification/{what}/{uuid.uuid4()}"), 404, "NOT_FOUND")
    assert_problem(student.get(f"/api/gamification/{what}/somebody"), 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    ("xp", "streak", "tier"),
    [
        (499, 30, "bronze"),
        (500, 2, "bronze"),
        (500, 3, "silver"),
        (2000, 7, "gold"),
        (14999, 30, "platinum"),
        (15000, 29, "platinum"),
        (15000, 30, "diamond"),
    ],
)
def test_tiers_ask_for_xp_and_streak(sql: psycopg.Connection[Any], xp: int, streak: int, tier: str) -> None:
    """A tier is reached only when both thresholds are."""
    assert sql.execute("select internal.tier(%s, %s)", [xp, streak]).fetchone() == (tier,)


def test_badges_are_earned_with_the_session_that_qualifies(student: Student, clock: DatabaseClock, sql: Any) -> None:
    """The completion lists new badges once, and the other badges show progress."""
    first = completed_session(sql, student.user_id, clock.now() - timedelta(hours=30), 60)
    assert first["new_badges"] == ["first_session"]
    second = completed_session(sql, student.user_id, clock.now() - timedelta(hours=2), 60)
    assert second["new_badges"] == ["100_xp"]
    badges = student.get("/api/gamification/badges/me").json()["data"]
    assert [badge["key"] for badge in badges["earned_badges"]] == ["first_session", "100_xp"]
    progress = {badge["key"]: badge["progress"] for badge in badges["available_badges"]}
    assert (progress["50_sessions"], progress["1000_xp"], progress["10_hour_grind"]) == (0.04, 0.14, 0.1)
    catalogue = student.get("/api/gamification/badges").json()["data"]
    assert len(catalogue) == len(badges["earned_badges"]) + len(progress)


def test_ten_hours_in_a_day_are_a_badge(student: Student, sql: Any) -> None:
    """600 credited minutes in one local day earn the grind badge, in any number of sessions."""
    day = datetime(2026, 5, 5, tzinfo=UTC)
    outcomes = [completed_session(sql, student.user_id, day + timedelta(hours=n), 200) for n in (6, 12, 18)]
    assert "10_hour_grind" not in outcomes[0]["new_badges"] + outcomes[1]["new_badges"]
    assert "10_hour_grind" in outcomes[2]["new_badges"]


def test_a_new_badge_reaches_those_who_qualify_already(api: Api, student: Student, sql: Any) -> None:
    """A new badge needs only an INSERT: the schedule awards it in batches that can be interrupted and resumed."""
    from gamification.service import backfill_badges

    key = f"b_{uuid.uuid4().hex[:12]}"
    student.complete(student.start())
    bystander = api.student()
    sql.execute(
        """insert into badges (badge_key, name, description, metric, threshold)
           values (%s, 'New', 'New', 'completed_sessions', 1)""",
        [key],
    )
    try:
        sql.execute("select backfill_badges(3)")
        while api.run(backfill_badges()):
            pass
        earned = [b["key"] for b in student.get("/api/gamification/badges/me").json()["data"]["earned_badges"]]
        assert key in earned
        assert bystander.get("/api/gamification/badges/me").json()["data"]["earned_badges"] == []
        assert key in bystander.complete(bystander.start())["new_badges"]
    finally:
        sql.execute("delete from badges where badge_key = %s", [key])


def test_streaks_tell_what_is_at_stake(student: Student, clock: DatabaseClock, sql: Any) -> None:
    """The answer has the current and the best streak, today, the risk, the bonus and the next badge."""
    clock.set(datetime(2026, 5, 20, 12, tzinfo=UTC))
    for day in range(6, 20):
        completed_session(sql, student.user_id, datetime(2026, 5, day, 10, tzinfo=UTC), 5)
    assert student.get("/api/gamification/streaks/me").json()["data"] == {
        "user_id": student.user_id, "current_streak": 14, "best_streak": 14, "last_active_date": "2026-05-19",
        "active_today": False, "at_risk": True, "bonus_xp": 4, "next_milestone": 30,
    }  # fmt: skip
    clock.set(datetime(2026, 5, 21, 12, tzinfo=UTC))
    lost = student.get("/api/gamification/streaks/me").json()["data"]
    assert (lost["current_streak"], lost["best_streak"], lost["at_risk"], lost["next_milestone"]) == (0, 14, False, 7)


def test_a_late_day_repairs_the_streak(student: Student, clock: DatabaseClock, sql: Any) -> None:
    """A missing day that arrives late connects the days around it."""
    clock.set(datetime(2026, 5, 5, 12, tzinfo=UTC))
    for day in (5, 1, 2, 4):
        completed_session(sql, student.user_id, datetime(2026, 5, day, 10, tzinfo=UTC), 5)
    assert student.get("/api/gamification/streaks/me").json()["data"]["current_streak"] == 2
    completed_session(sql, student.user_id, datetime(2026, 5, 3, 10, tzinfo=UTC), 5)
    assert student.get("/api/gamification/streaks/me").json()["data"]["current_streak"] == 5


def test_histories_of_nobody_are_not_found(student: Student) -> None:
    """The history of an unknown user is a 404, and that of another user stays private."""
    assert_problem(student.get(f"/api/gamification/xp/history/{uuid.uuid4()}"), 404, "NOT_FOUND")
