"""Credited time, XP and streaks in the database, against a simple model of the same rules."""

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
from testing.model import Calendar, Session, Student, length
from testing.timeline import record

EPOCH = datetime(2024, 2, 25, tzinfo=UTC)  # near a leap day and, in the zones below, clock changes
CREDITED = "select internal.credited_seconds(progress, started_at, %s) from study_sessions where session_id = %s"
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]

in_transaction = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def undo(sql: psycopg.Connection[Any]) -> Iterator[psycopg.Connection[Any]]:
    """The connection; examples roll back by leaving `transaction(force_rollback=True)`."""
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
@given(marks=marks, end=st.integers(0, 30 * 3600))
def test_credited_time_is_that_of_the_model(
    undo: psycopg.Connection[Any], user_id: str, marks: list[tuple[int, str]], end: int
) -> None:
    """Breaks and silence are not credited, whatever the order of events."""
    told = [(EPOCH + timedelta(seconds=second), kind) for second, kind in marks]
    until = EPOCH + timedelta(seconds=end)
    with undo.transaction(force_rollback=True):
        session_id = _session(undo, user_id)
        for at, kind in told:
            record(undo, session_id, [(kind, at, None)])
        row = undo.execute(CREDITED, [until, session_id]).fetchone()
    assert row == (int(length(Session("", "", EPOCH, 60, told).counts(until)).total_seconds()),)


def test_a_session_is_credited_12_hours_at_most(undo: psycopg.Connection[Any], user_id: str) -> None:
    """Heartbeats for 13 hours are credited as 12 hours."""
    with undo.transaction(force_rollback=True):
        session_id = _session(undo, user_id)
        for minute in range(0, 13 * 60, 4):
            record(undo, session_id, [("heartbeat", EPOCH + timedelta(minutes=minute), None)])
        assert undo.execute(CREDITED, [EPOCH + timedelta(hours=13), session_id]).fetchone() == (43200,)


# (which of the slots of 13 hours, seconds): some cross midnight, and the end of the week.
arrivals = st.lists(
    st.tuples(
        st.integers(0, 80),
        st.sampled_from([0, 30, 59, 60, 61, 1499, 1500, 3600, 7199, 7200, 14400, 43200]) | st.integers(0, 43200),
    ),
    min_size=1,
    max_size=40,
    unique_by=lambda arrival: arrival[0],
)
PAY = """select internal.award_session(
  %(user)s, %(session)s, null, %(before)s::text::tstzmultirange, %(after)s::text::tstzmultirange, %(ended)s)"""


def pay(
    connection: psycopg.Connection[Any],
    user_id: str,
    session_id: uuid.UUID,
    at: datetime,
    seconds: int,
    before: int = -1,
) -> dict[str, Any]:
    """Pay a session of `seconds` from `at`, of which `before` seconds are paid already; -1: none."""
    after = f"{{[{at.isoformat()},{(at + timedelta(seconds=seconds)).isoformat()})}}"
    until = (at + timedelta(seconds=before)).isoformat()
    row = connection.execute(
        PAY,
        {
            "user": user_id, "session": session_id, "after": after, "ended": at + timedelta(seconds=seconds),
            "before": None if before < 0 else f"{{[{at.isoformat()},{until})}}",
        },
    ).fetchone()  # fmt: skip
    assert row is not None
    paid: dict[str, Any] = row[0]
    assert paid["xp_awarded"] == sum(paid["xp_breakdown"].values())
    return paid


@in_transaction
@given(zone=st.sampled_from(ZONES), arrivals=arrivals, halves=st.booleans())
def test_pay_is_that_of_the_model_in_any_order_of_arrival(
    undo: psycopg.Connection[Any], user_id: str, zone: str, arrivals: list[tuple[int, int]], *, halves: bool
) -> None:
    """Totals, level, streaks and days equal the model's, even when every session is paid in two parts."""
    model = Student(Calendar(zone))
    with undo.transaction(force_rollback=True):
        undo.execute("update profiles set timezone = %s where user_id = %s", [zone, user_id])
        for slot, seconds in arrivals:
            at, session_id = EPOCH + timedelta(hours=13 * slot), uuid.uuid4()
            model.sessions[str(slot)] = Session(str(slot), "", at, 60, paid=[(at, at + timedelta(seconds=seconds))])
            halves = halves and seconds >= 120
            if halves:
                pay(undo, user_id, session_id, at, seconds // 2)
            pay(undo, user_id, session_id, at, seconds, seconds // 2 if halves else -1)
        query = (
            "select xp_by_source, total_xp, level, best_streak, completed_sessions from user_stats where user_id = %s"
        )
        stats = undo.execute(query, [user_id]).fetchone()
        days = undo.execute(
            "select day, focus_seconds, streak from study_days where user_id = %s and focus_seconds > 0", [user_id]
        ).fetchall()
    total = sum(model.xp_by_source().values())
    assert stats == (model.xp_by_source(), total, 1 + total // 100, model.best_streak(), len(arrivals))
    assert {row[0]: row[1:] for row in days} == {
        day: (time.total_seconds(), model.streak_ending(day)) for day, time in model.days().items() if time
    }


def test_both_milestones_are_reached_at_10_000(undo: psycopg.Connection[Any], user_id: str) -> None:
    """Every 500 XP pay 100 and every 10,000 pay 1,000, in separate rows that count for no milestone."""
    with undo.transaction(force_rollback=True):
        for day in range(15):
            pay(undo, user_id, uuid.uuid4(), EPOCH + timedelta(days=day), 43200)
        count = """select source, count(*), sum(amount) from xp_ledger
                   where user_id = %s and milestone is not null group by 1"""
        milestones = {row[0]: row[1:] for row in undo.execute(count, [user_id])}
        row = undo.execute("select session_xp from user_stats where user_id = %s", [user_id]).fetchone()
    assert row is not None
    assert row[0] > 10_000
    assert milestones["milestone_500"] == (row[0] // 500, row[0] // 500 * 100)
    assert milestones["milestone_10000"] == (1, 1000)


@pytest.mark.parametrize(
    "statement", ["update xp_ledger set amount = 1000", "delete from xp_ledger", "truncate xp_ledger"]
)
def test_the_ledger_is_append_only(undo: psycopg.Connection[Any], user_id: str, statement: str) -> None:
    """Not even the database's owner can change an award."""
    with undo.transaction(force_rollback=True):
        pay(undo, user_id, uuid.uuid4(), EPOCH, 600)
        with pytest.raises(psycopg.errors.RestrictViolation):
            undo.execute(statement)


def test_a_session_pays_only_once(undo: psycopg.Connection[Any], user_id: str) -> None:
    """The ledger itself refuses a second payment of a session."""
    session_id = uuid.uuid4()
    again = """insert into xp_ledger (user_id, session_id, occurred_at, created_at, amount, source, day)
               select user_id, session_id, occurred_at, created_at, amount, source, day from xp_ledger
               where session_id = %s limit 1"""
    with undo.transaction(force_rollback=True):
        pay(undo, user_id, session_id, EPOCH, 600)
        with pytest.raises(psycopg.errors.UniqueViolation):
            undo.execute(again, [session_id])


def _session(connection: psycopg.Connection[Any], user_id: str) -> uuid.UUID:
    session_id = uuid.uuid4()
    connection.execute(
        """insert into study_sessions (session_id, user_id, duration_minutes, started_at, last_activity_at, progress)
           values (%(id)s, %(user)s, 60, %(at)s, %(at)s, internal.initial_progress(%(at)s))""",
        {"id": session_id, "user": user_id, "at": EPOCH},
    )
    return session_id
