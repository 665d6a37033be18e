"""One student's slow calls do not affect the others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from studysync.db.client import breaker, database
from testing.client import Api, Student, assert_problem


@pytest.fixture
def impatient(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Database calls with a short timeout, and a closed circuit before and after."""
    monkeypatch.setattr(database(), "_seconds", 0.2)
    breaker.reset()
    yield
    breaker.reset()


@pytest.mark.usefixtures("impatient")
def test_one_students_timeouts_open_no_circuit(api: Api, student: Student, sql: psycopg.Connection[Any]) -> None:
    """One student's row is locked and their calls keep timing out, but everybody else still gets answers."""
    other = api.student()
    with sql.transaction():
        sql.execute("select from public.user_stats where user_id = %s for update", [student.user_id])
        for _ in range(3):  # few enough that PostgREST has connections left for the others
            assert_problem(student.post("/api/sessions/start", {"duration_minutes": 25}), 503, "SERVICE_UNAVAILABLE")
            assert other.get("/api/users/me").status_code == 200
            assert breaker.get_state() == "closed"
        for _ in range(5):
            assert_problem(student.post("/api/sessions/start", {"duration_minutes": 25}), 503, "SERVICE_UNAVAILABLE")
        assert breaker.get_state() == "closed"
        assert breaker.snapshot().consecutive_failures == 5
        assert other.get("/api/users/me").status_code == 200


@pytest.mark.usefixtures("impatient")
def test_three_students_timeouts_open_it(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Timeouts of three students open the circuit."""
    students = [api.student() for _ in range(3)]
    with sql.transaction():
        locked = [each.user_id for each in students]
        sql.execute("select from public.user_stats where user_id = any(%s) for update", [locked])
        for n in range(5):
            assert breaker.get_state() == "closed"
            students[n % 3].post("/api/sessions/start", {"duration_minutes": 25})
        assert breaker.get_state() == "open"
