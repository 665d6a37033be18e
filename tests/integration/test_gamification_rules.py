"""Gamification against a simple model: any sessions of any users in any order, and concurrent workers."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.backends import Backends
from testing.client import Api
from testing.model import Calendar, Session
from testing.model import Student as ModelStudent
from testing.timeline import completed_session, violations

ZONES = ["UTC", "Europe/Berlin", "America/Los_Angeles", "Pacific/Apia"]
START = datetime(2028, 2, 20, tzinfo=UTC)  # around a leap day

# (user, which of the slots of five hours, minutes)
arrivals = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 100), st.sampled_from([1, 10, 25, 60, 120, 240])),
    max_size=30,
    unique_by=lambda arrival: arrival[:2],
)


@pytest.mark.properties
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=arrivals, seed=st.randoms(use_true_random=False))
def test_the_database_and_the_model_agree(
    api: Api, sql: psycopg.Connection[Any], arrivals: list[tuple[int, int, int]], seed: random.Random
) -> None:
    """Totals, streaks, badges and ranks equal the model's, in any order of arrival."""
    students = _students(api)
    models = [ModelStudent(Calendar(zone)) for zone in ZONES]
    for who, slot, minutes in arrivals:
        at = START + timedelta(hours=5 * slot)
        paid = [(at - timedelta(minutes=minutes), at)]
        models[who].sessions[str(slot)] = Session(str(slot), "", paid[0][0], 60, paid=paid)
    for order in (arrivals, seed.sample(arrivals, len(arrivals))):
        with sql.transaction(force_rollback=True):
            for who, slot, minutes in order:
                completed_session(sql, students[who], START + timedelta(hours=5 * slot), minutes)
            assert violations(sql) == []
            ranks, badges = _ranks(sql, students), _badges(sql, students)
            sources = dict(
                sql.execute(
                    "select user_id::text, xp_by_source from user_stats where user_id = any(%s::uuid[])", [students]
                ).fetchall()
            )
        assert [sources[student] for student in students] == [model.xp_by_source() for model in models]
        totals = {students[n]: sum(model.xp_by_source().values()) for n, model in enumerate(models) if model.sessions}
        assert ranks == {user: 1 + sum(xp > mine for xp in totals.values()) for user, mine in totals.items()}
        assert {user: keys & STREAKS_AND_SESSIONS for user, keys in badges.items()} == {
            students[n]: _model_badges(model) for n, model in enumerate(models)
        }


STREAKS_AND_SESSIONS = {"first_session", "50_sessions", "7_day_streak", "10_hour_grind"}
_known: dict[int, list[str]] = {}


def _students(api: Api) -> list[str]:
    if id(api) not in _known:
        _known[id(api)] = [api.student(timezone=zone).user_id for zone in ZONES]
    return _known[id(api)]


def _model_badges(model: ModelStudent) -> set[str]:
    rules = {
        "first_session": len(model.sessions) >= 1,
        "50_sessions": len(model.sessions) >= 50,
        "7_day_streak": model.best_streak() >= 7,
        "10_hour_grind": max(model.days().values(), default=timedelta()) >= timedelta(hours=10),
    }
    return {key for key, earned in rules.items() if earned}


def _ranks(sql: psycopg.Connection[Any], students: list[str]) -> dict[str, int]:
    # Other tests may have left XP, so ranks are compared among these four only.
    query = """select s.user_id::text, internal.rank_of(s.board_id, s.xp), s.xp from leaderboard_scores s
               join leaderboards b using (board_id) where b.period = 'all-time' and b.space_id is null"""
    rows = sql.execute(query).fetchall()
    for _, rank, xp in rows:
        assert rank == 1 + sum(other > xp for *_, other in rows)
    mine = [row for row in rows if row[0] in students]
    return {user: 1 + sum(other > xp for *_, other in mine) for user, _, xp in mine}


def _badges(sql: psycopg.Connection[Any], students: list[str]) -> dict[str, set[str]]:
    badges: dict[str, set[str]] = {user: set() for user in students}
    for user, key in sql.execute(
        "select user_id::text, badge_key from user_badges where user_id = any(%s::uuid[])", [students]
    ):
        badges[user].add(key)
    return badges


def test_20_workers_awarding_at_once_lose_nothing(backends: Backends, api: Api, sql: psycopg.Connection[Any]) -> None:
    """Concurrent awards to the same and different users, with deletions, cause no deadlock and no drift."""
    students = [api.student().user_id for _ in range(12)]
    leavers = [api.student().user_id for _ in range(5)]
    deadline, errors, awards = time.monotonic() + 4, [], Counter[str]()
    counting = threading.Lock()

    def work(seed: int) -> None:
        dice = random.Random(seed)
        assert backends.dsn is not None
        with psycopg.connect(backends.dsn, autocommit=True) as connection:
            while time.monotonic() < deadline:
                user = dice.choice(students)
                try:
                    with connection.transaction():
                        connection.execute("select internal.lock_user(%s)", [user])
                        at = datetime.now(UTC) - timedelta(days=dice.randrange(10))
                        outcome = completed_session(connection, user, at, dice.choice([1, 5, 30]))
                    with counting:
                        awards[user] += outcome["xp_awarded"]
                    if dice.random() < 0.02 and leavers:
                        connection.execute("delete from auth.users where id = %s", [leavers.pop()])
                except psycopg.Error as error:
                    errors.append(error)

    before = violations(sql)
    workers = [threading.Thread(target=work, args=[n]) for n in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert errors == []
    assert violations(sql) == before == []
    totals = sql.execute("select user_id::text, total_xp from user_stats where user_id = any(%s::uuid[])", [students])
    assert dict(totals.fetchall()) == {user: awards[user] for user in students}


def test_the_invariants_find_what_is_wrong(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Each kind of damage is reported, and nothing else."""
    student = api.student()
    student.complete(student.start())
    damage = {
        "update user_stats set total_xp = total_xp + 1 where user_id = %s": {"total_xp = sum of the ledger"},
        "update user_stats set session_xp = 7 where user_id = %s": {"session_xp = ledger without milestones"},
        "update user_stats set best_streak = 9 where user_id = %s": {"best_streak = longest run", "badges = rules"},
        "update user_stats set completed_sessions = 2 where user_id = %s": {"completed sessions = sessions that count"},
        "update study_days set streak = 3 where user_id = %s": {"streak of a day = run that ends on it"},
        "delete from user_badges where user_id = %s": {"badges = rules"},
        "update leaderboard_scores set xp = xp + 1 where user_id = %s": {
            "scores = ledger of the period",
            "histogram = scores",
        },
        "update leaderboard_buckets set users = users + 1 where shard = internal.leaderboard_shard(%s)": {
            "histogram = scores"
        },
        "update user_stats set xp_by_source = '{}' where user_id = %s": {"xp by source = ledger"},
        "update study_days set xp = xp + 1 where user_id = %s": {"xp of a day = ledger"},
        "update study_sessions set xp_awarded = 50 where user_id = %s": {"paid once = outcome of the session"},
    }
    assert violations(sql) == []
    for statement, expected in damage.items():
        with sql.transaction(force_rollback=True):
            sql.execute(statement, [student.user_id])
            assert {row[0] for row in violations(sql)} == expected, statement
