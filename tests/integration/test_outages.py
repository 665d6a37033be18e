"""What clients see while something that we depend on is down, and afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from local.backends import Backends
from resilience import cache_manager
from tests.support.client import Api, Student, assert_problem


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Ask until it holds; fail when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.05)


@pytest.fixture
def circuits() -> Iterator[None]:
    """Closed circuits before and after the test."""
    from studysync.database import breaker as database
    from users.auth import breaker as auth

    yield
    database.reset()
    auth.reset()


@pytest.mark.usefixtures("circuits")
def test_the_database_goes_and_comes_back(api: Api, backends: Backends, student: Student) -> None:
    """503 with Retry-After at once, the circuit opens, what is cached is served, and it recovers by itself."""
    from studysync.database import breaker

    badges = student.get("/api/gamification/badges").json()
    backends.project.postgrest.kill()
    try:
        for _ in range(5):
            response = student.get("/api/users/me")
            assert_problem(response, 503, "SERVICE_UNAVAILABLE")
            assert int(response.headers["retry-after"]) >= 1
        assert breaker.get_state() == "open"
        started = time.perf_counter()
        response = student.get("/api/users/me")
        assert time.perf_counter() - started < 0.1
        assert_problem(response, 503, "SERVICE_UNAVAILABLE")
        assert_problem(api.get("/health/readiness"), 503, "SERVICE_UNAVAILABLE")
        assert api.get("/health/liveness").status_code == 200
        assert student.get("/api/gamification/badges").json() == badges
    finally:
        backends.project.postgrest.restart()
    wait_until(lambda: student.get("/api/users/me").status_code == 200)
    assert breaker.get_state() == "closed"


@pytest.mark.usefixtures("circuits")
def test_postgresql_is_killed_and_comes_back(backends: Backends, student: Student) -> None:
    """A write that was acknowledged is still there, and writes go on."""
    session_id = student.start()
    backends.postgres.kill()
    try:
        response = student.post(f"/api/sessions/{session_id}/heartbeat")
        assert_problem(response, 503, "SERVICE_UNAVAILABLE")
    finally:
        backends.postgres.restart()
    # PostgREST looks for the database in growing pauses of its own.
    wait_until(lambda: student.post(f"/api/sessions/{session_id}/heartbeat").status_code == 200, 40)
    assert student.complete(session_id)["xp_awarded"] == 1


@pytest.mark.usefixtures("circuits")
def test_sign_in_is_down_alone(api: Api, backends: Backends, student: Student) -> None:
    """Without Supabase Auth nobody signs in, and everybody who has goes on."""
    from users.auth import breaker

    login = {"email": student.email, "password": student.password}
    backends.project.auth.kill()
    try:
        for _ in range(6):
            assert_problem(api.post("/api/auth/login", login), 503, "SERVICE_UNAVAILABLE")
        assert breaker.get_state() == "open"
        assert student.get("/api/users/me").status_code == 200
    finally:
        backends.project.auth.restart()
    wait_until(lambda: api.post("/api/auth/login", login).status_code == 200)
    wrong = api.post("/api/auth/login", {**login, "password": "wrong"})
    assert_problem(wrong, 401, "AUTHENTICATION_ERROR")


def test_dynamodb_is_down_and_nobody_notices(backends: Backends, student: Student) -> None:
    """Limits, circuits and caches go on without their table."""
    backends.dynamodb.kill()
    try:
        cache_manager.clear()
        for path in ("/api/users/me", "/api/gamification/badges", "/api/gamification/leaderboard/weekly"):
            assert student.get(path).status_code == 200, path
    finally:
        backends.dynamodb.restart()


def test_a_dead_connection_is_replaced(api: Api, backends: Backends, student: Student) -> None:
    """After PostgREST restarted, kept connections are dead: the next call makes a new one and nobody sees it."""
    assert student.get("/api/users/me").status_code == 200
    backends.project.postgrest.restart()
    backends.project.postgrest.wait()
    wait_until(lambda: api.get("/health/readiness").status_code == 200)
    assert student.get("/api/users/me").status_code == 200
