"""The demo's bulk load gives the same data as the product's own functions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest

from local.backends import Backends
from local.demo import Term, load_term, violations
from testing.client import Api
from testing.timeline import completed_session


def test_a_term_obeys_every_invariant_and_students_go_on_from_it(
    backends: Backends, api: Api, sql: psycopg.Connection[Any]
) -> None:
    """60 students, one of them with an API account, violate no invariant, before and after the next session."""
    account = api.student()
    steps: list[str] = []
    with psycopg.connect(str(backends.dsn), autocommit=True) as connection:
        load_term(
            connection,
            Term(users=60, weeks=6, account=UUID(account.user_id)),
            lambda title, _done, _of: steps.append(title),
            vacuum=False,
        )
    assert steps[0] == "Students"
    assert violations(sql) == []
    summary = account.get("/api/gamification/xp/me").json()["data"]
    assert summary["total_xp"] > 0
    outcome = completed_session(sql, account.user_id, datetime.now(UTC), 25)
    assert outcome["total_xp"] == summary["total_xp"] + outcome["xp_awarded"]
    assert violations(sql) == []
    changes, cursor = [], ""
    while cursor is not None:
        page = account.get("/api/sync/changes", params={"cursor": cursor, "limit": 100}).json()
        changes, cursor = changes + page["data"], page["next_cursor"]
    assert {change["kind"] for change in changes} == {"session", "xp", "badge", "membership", "profile"}
    board = account.get("/api/gamification/leaderboard/all-time").json()["data"]
    assert board["me"]["xp"] == outcome["total_xp"]


def test_the_same_seed_gives_the_same_students(backends: Backends) -> None:
    """Two databases with the same seed have the same XP for the same names."""
    totals = []
    for _ in range(2):
        with backends.new_project() as project, psycopg.connect(project.dsn, autocommit=True) as connection:
            load_term(connection, Term(users=10, weeks=2, seed=5), vacuum=False)
            query = "select username, total_xp from user_stats join profiles using (user_id) order by username"
            totals.append(connection.execute(query).fetchall())
    assert totals[0] == totals[1]
    assert len(totals[0]) == 10


@pytest.mark.parametrize(("field", "value"), [("users", 0), ("weeks", 0), ("weeks", 27)])
def test_a_term_that_cannot_be_is_refused(field: str, value: int) -> None:
    """An impossible term is refused with the field and its value."""
    with pytest.raises(ValueError, match=f"{field} must be .* not {value}"):
        Term(**{field: value})
