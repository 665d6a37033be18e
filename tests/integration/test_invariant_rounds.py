"""The daily round of checks: a few users and boards at a time, all of them once, with findings reported as it goes."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from studysync.telemetry import metrics
from testing.client import Api, Student
from testing.clock import DatabaseClock
from testing.timeline import violations

pytestmark = pytest.mark.properties

WRONG_TOTAL = "total_xp = sum of the ledger"


@pytest.fixture(autouse=True)
def due(sql: psycopg.Connection[Any]) -> None:
    """Make a round due, whatever other tests did to clock and round."""
    sql.execute("update internal.invariant_round set over = true, began_at = '-infinity'")


@pytest.fixture
def wrong(sql: psycopg.Connection[Any], student: Student) -> Iterator[str]:
    """A student whose total is not the sum of the ledger."""
    sql.execute("update user_stats set total_xp = total_xp + 7 where user_id = %s", [student.user_id])
    yield student.user_id
    sql.execute("update user_stats set total_xp = total_xp - 7 where user_id = %s", [student.user_id])


def step(sql: psycopg.Connection[Any], users: int = 4) -> dict[str, Any]:
    row = sql.execute("select check_next_invariants(%s)", [users]).fetchone()
    assert row is not None
    answer: dict[str, Any] = row[0]
    return answer


def whole_round(sql: psycopg.Connection[Any], users: int = 4) -> tuple[dict[str, int], int]:
    """What a round finds, and its number of steps."""
    steps = 1
    while not (answer := step(sql, users))["over"]:
        steps += 1
    return answer["violations"], steps


def test_small_steps_find_what_one_statement_finds(
    api: Api, sql: psycopg.Connection[Any], student: Student, wrong: str
) -> None:
    """For any step size each rule finds the same number of violations, including boards of spaces."""
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    student.complete(student.start(space_id=space))
    for _ in range(6):
        api.student()
    sql.execute(
        """update leaderboard_buckets set users = users + 1
           where board_id = (select min(board_id) from leaderboards where space_id = %s)""",
        [space],
    )
    expected: dict[str, int] = {}
    for rule, *_ in violations(sql):
        expected[rule] = expected.get(rule, 0) + 1
    assert expected["histogram = scores"] == 2
    assert expected[WRONG_TOTAL] == 1
    for users in (1, 4, 10_000):
        sql.execute("update internal.invariant_round set began_at = '-infinity'")
        found, steps = whole_round(sql, users)
        assert found == expected
        assert steps >= 7 or users > 1
    sql.execute("delete from spaces where space_id = %s", [space])


def test_a_round_begins_once_a_day(sql: psycopg.Connection[Any], clock: DatabaseClock, wrong: str) -> None:
    """Until the next day there is nothing to do, and the last round's findings are still reported."""
    found, _ = whole_round(sql)
    assert found == {WRONG_TOTAL: 1}
    assert step(sql) == {"checked": False, "over": True, "violations": found}
    clock.advance(hours=25)
    assert step(sql)["checked"] is True


def test_a_run_that_was_cut_off_is_taken_up(sql: psycopg.Connection[Any]) -> None:
    """Progress is stored with each check: a step that was rolled back is repeated, a finished one is not."""
    step(sql)
    reached = sql.execute("select users_to from internal.invariant_round").fetchone()
    with sql.transaction(force_rollback=True):
        step(sql)
    assert sql.execute("select users_to from internal.invariant_round").fetchone() == reached
    step(sql)
    assert sql.execute("select users_to > %s from internal.invariant_round", reached).fetchone() == (True,)


def test_two_runs_do_not_get_in_each_others_way(sql: psycopg.Connection[Any]) -> None:
    """A second concurrent run leaves the round to the first."""
    with psycopg.connect(sql.info.dsn, password=sql.info.password) as other, other.transaction():
        step(other)
        assert step(sql) == {"checked": False, "over": True, "violations": {}}


def test_the_schedule_publishes_what_a_round_found(
    api: Api, sql: psycopg.Connection[Any], wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that checked something publishes its count, 0 included; a run without work publishes nothing."""
    from health.operations.schedules import check_invariants

    monkeypatch.setattr(metrics, "_pending", {})
    assert api.run(check_invariants()) == {WRONG_TOTAL: 1}
    assert metrics._pending.pop("InvariantViolations") == [1]
    assert api.run(check_invariants()) == {WRONG_TOTAL: 1}
    assert "InvariantViolations" not in metrics._pending


def test_pay_without_a_session_is_found(sql: psycopg.Connection[Any], student: Student) -> None:
    """A ledger row of a session that was never completed is found."""
    with sql.transaction(force_rollback=True):
        sql.execute(
            """insert into xp_ledger (user_id, amount, source, session_id, day, occurred_at, created_at)
               values (%s, 5, 'session', %s, current_date, now(), now())""",
            [student.user_id, uuid.uuid4()],
        )
        assert "paid once = outcome of the session" in {row[0] for row in violations(sql)}
