"""What clients see during an outage of a dependency, and afterwards."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from local.backends import Backends
from resilience import cache_manager
from testing.client import Api, Student, assert_problem
from testing.outages import reconnect
from testing.waiting import wait_until

pytestmark = [pytest.mark.own_servers, pytest.mark.slow]


@pytest.fixture
def circuits() -> Iterator[None]:
    """Closed circuits before and after the test."""
    from studysync.db.client import breaker as database
    from users.auth_client import breaker as auth

    yield
    database.reset()
    auth.reset()


@pytest.mark.usefixtures("circuits")
def test_the_database_goes_and_comes_back(api: Api, backends: Backends, student: Student) -> None:
    """Clients get an immediate 503 with Retry-After, cached reads are served, and the service recovers by itself."""
    from studysync.db.client import breaker

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
    """Acknowledged writes survive the crash, and new writes succeed."""
    session_id = student.start()
    backends.postgres.kill()
    try:
        response = student.post(f"/api/sessions/{session_id}/heartbeat")
        assert_problem(response, 503, "SERVICE_UNAVAILABLE")
    finally:
        backends.postgres.restart()
    # PostgREST reconnects with growing pauses of its own.
    wait_until(lambda: student.post(f"/api/sessions/{session_id}/heartbeat").status_code == 200, 40)
    assert student.complete(session_id)["xp_awarded"] == 1


@pytest.mark.usefixtures("circuits")
def test_sign_in_is_down_alone(api: Api, backends: Backends, student: Student) -> None:
    """Without Supabase Auth nobody can sign in, but every signed-in user can continue."""
    from users.auth_client import breaker

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
    """Limits, circuits and caches work without their table."""
    backends.dynamodb.kill()
    try:
        cache_manager.clear()
        for path in ("/api/users/me", "/api/gamification/badges", "/api/gamification/leaderboard/weekly"):
            assert student.get(path).status_code == 200, path
    finally:
        backends.dynamodb.restart()
        backends.recover(backends.dynamodb)
        reconnect()


def test_a_dead_connection_is_replaced(api: Api, backends: Backends, student: Student) -> None:
    """After PostgREST restarted, dead pooled connections are replaced, and no caller notices."""
    assert student.get("/api/users/me").status_code == 200
    backends.project.postgrest.restart()
    backends.project.postgrest.wait()
    wait_until(lambda: api.get("/health/readiness").status_code == 200)
    assert student.get("/api/users/me").status_code == 200


@pytest.mark.usefixtures("circuits")
@pytest.mark.parametrize("part", ["postgres", "postgrest"])
@pytest.mark.parametrize("delay", [0.02, 0.08, 0.2])
def test_a_batch_that_was_cut_off_is_completed_by_its_repeat(
    backends: Backends, student: Student, part: str, delay: float
) -> None:
    """If the database is killed during a batch it has all of it or nothing, and the client's repeat completes it."""
    victim = backends.postgres if part == "postgres" else backends.project.postgrest
    start, session_id = datetime.now(UTC) - timedelta(hours=20), str(uuid.uuid4())
    steps = [("start", 0), *(("heartbeat", n) for n in range(1, 480)), ("complete", 480)]
    events = [
        {"session_id": session_id, "event_type": kind, "created_at": (start + timedelta(minutes=n)).isoformat()}
        for kind, n in steps
    ]
    killer = threading.Timer(delay, victim.kill)
    killer.start()
    first = student.post("/api/sync/offline", {"events": events})
    killer.join()
    victim.restart()
    assert first.status_code in (200, 503)
    wait_until(lambda: student.get("/api/users/me").status_code == 200, 40)
    applied = student.get("/api/sync/status").json()["data"]["applied_count"]
    assert applied in (0, len(events))
    again = student.post("/api/sync/offline", {"events": events}).json()["data"]
    assert again["synced_count"] + again["duplicate_count"] == len(events)
    assert again["sessions"][0]["focus_seconds"] == 8 * 3600
    assert student.get("/api/users/me").json()["data"]["xp"] == again["sessions"][0]["total_xp"]
    assert len(student.get(f"/api/sessions/{session_id}/audit").json()["data"]) == len(events)
