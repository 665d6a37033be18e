"""Credited time, XP and streaks in the database, against the plain model of the same rules."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from testing.client import Api
from testing.model import StudentModel, credited_seconds
from testing.timeline import record

EPOCH = datetime(2024, 2, 25, tzinfo=UTC)  # a leap day and, in the zones below, clock changes are near
CREDITED = "select internal.credited_seconds(progress, started_at, %s) from study_sessions where session_id = %s"
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]

in_transaction = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def undo(sql: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The connection; examples undo what they did by leaving `transaction(force_rollback=True)`."""
    return sql


@pytest.fixture(scope="module")
def user_id(api: Api) -> str:
    return api.student().user_id


marks = st.lists(
    st.tuples(
        st.integers(0, 5 * 3600), st.sampled_from(["heartbeat", "note", "focus_end", "break_start", "break_end"])
    ),
    max_size=40,
).map(sorted)


@in_transaction
@given(marks=marks, end=st.integers(0, 16 * 3600))
def test_credited_time_is_that_of_the_model(
    undo: psycopg.Connection[Any], user_id: str, marks: list[tuple[int, str]], end: int
) -> None:
    """Breaks and silence count for nothing, whatever the order of events."""
    marks = [mark for mark in marks if mark[0] <= end]
    with undo.transaction(force_rollback=True):
        session_id = _session(undo, user_id)
        for second, event_type in marks:
            record(undo, session_id, [(event_type, EPOCH + timedelta(seconds=second), None)])
        row = undo.execute(CREDITED, [EPOCH + timedelta(seconds=end), session_id]).fetchone()
    assert row == (credited_seconds([(float(at), kind) for at, kind in marks], float(end)),)


def test_a_session_is_credited_12_hours_at_most(undo: psycopg.Connection[Any], user_id: str) -> None:
    """Heartbeats for 13 hours are 12 hours."""
    with undo.transaction(force_rollback=True):
        session_id = _session(undo, user_id)
        for minute in range(0, 13 * 60, 4):
            record(undo, session_id, [("heartbeat", EPOCH + timedelta(minutes=minute), None)])
        assert undo.execute(CREDITED, [EPOCH + timedelta(hours=13), session_id]).fetchone() == (43200,)


arrivals = st.lists(
    st.tuples(
        st.sampled_from([0, 30, 59, 60, 61, 1499, 1500, 3600, 7199, 7200, 14400, 43200]) | st.integers(0, 43200),
        st.integers(0, 40 * 24),
    ),
    min_size=1,
    max_size=40,
)


@in_transaction
@given(zone=st.sampled_from(ZONES), arrivals=arrivals)
def test_pay_is_that_of_the_model_in_any_order_of_arrival(
    undo: psycopg.Connection[Any], user_id: str, zone: str, arrivals: list[tuple[int, int]]
) -> None:
    """Each session pays what the model pays; totals, level, streaks and days agree at the end."""
    model = StudentModel(zone)
    with undo.transaction(force_rollback=True):
        undo.execute("update profiles set timezone = %s where user_id = %s", [zone, user_id])
        for focus_seconds, hour in arrivals:
            ended_at = EPOCH + timedelta(hours=hour)
            query = "select internal.award_session(%s, %s, null, %s, %s)"
            row = undo.execute(query, [user_id, uuid.uuid4(), focus_seconds, ended_at]).fetchone()
            assert row is not None
            assert row[0]["xp_breakdown"] == model.complete(focus_seconds, ended_at)
            assert row[0]["xp_awarded"] == sum(row[0]["xp_breakdown"].values())
            assert row[0]["total_xp"] == model.total_xp
        query = "select total_xp, session_xp, level, best_streak, completed_sessions from user_stats where user_id = %s"
        stats = undo.execute(query, [user_id]).fetchone()
        days = undo.execute(
            "select day, focus_seconds, streak from study_days where user_id = %s", [user_id]
        ).fetchall()
    level = 1 + model.total_xp // 100
    assert stats == (model.total_xp, model.session_xp, level, model.best_streak, len(arrivals))
    assert {row[0]: row[1:] for row in days} == {
        day: (seconds, model.streak_ending(day)) for day, seconds in model.day_seconds.items()
    }


def test_both_milestones_are_reached_at_10_000(undo: psycopg.Connection[Any], user_id: str) -> None:
    """Every 500 pays 100 and every 10,000 pays 1,000, as rows of their own that count for no milestone."""
    model = StudentModel("UTC")
    with undo.transaction(force_rollback=True):
        for day in range(15):
            ended_at = EPOCH + timedelta(days=day)
            query = "select internal.award_session(%s, %s, null, %s, %s)"
            row = undo.execute(query, [user_id, uuid.uuid4(), 43200, ended_at]).fetchone()
            assert row is not None
            assert row[0]["xp_breakdown"] == model.complete(43200, ended_at)
        count = """select source, count(*), sum(amount) from xp_ledger
                   where user_id = %s and milestone is not null group by 1"""
        milestones = {row[0]: row[1:] for row in undo.execute(count, [user_id])}
    assert model.session_xp > 10_000
    assert milestones["milestone_500"] == (model.session_xp // 500, model.session_xp // 500 * 100)
    assert milestones["milestone_10000"] == (1, 1000)


@pytest.mark.parametrize(
    "statement", ["update xp_ledger set amount = 1000", "delete from xp_ledger", "truncate xp_ledger"]
)
def test_the_ledger_is_append_only(undo: psycopg.Connection[Any], user_id: str, statement: str) -> None:
    """Not even the owner of the database changes what was awarded."""
    with undo.transaction(force_rollback=True):
        undo.execute("select internal.award_session(%s, %s, null, 600, now())", [user_id, uuid.uuid4()])
        with pytest.raises(psycopg.errors.RestrictViolation):
            undo.execute(statement)


def test_a_session_pays_only_once(undo: psycopg.Connection[Any], user_id: str) -> None:
    """The ledger itself refuses a second payment of a session."""
    session_id = uuid.uuid4()
    with undo.transaction(force_rollback=True):
        undo.execute("select internal.award_session(%s, %s, null, 600, now())", [user_id, session_id])
        with pytest.raises(psycopg.errors.UniqueViolation):
            undo.execute("select internal.award_session(%s, %s, null, 600, now())", [user_id, session_id])


def _session(connection: psycopg.Connection[Any], user_id: str) -> uuid.UUID:
    session_id = uuid.uuid4()
    connection.execute(
        """insert into study_sessions (session_id, user_id, duration_minutes, started_at, last_activity_at, progress)
           values (%(id)s, %(user)s, 60, %(at)s, %(at)s, internal.initial_progress(%(at)s))""",
        {"id": session_id, "user": user_id, "at": EPOCH},
    )
    return session_id
