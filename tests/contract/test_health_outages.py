"""Health while a dependency is down, hangs or connects slowly: answers are in time and report the fault."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest

from health import service
from local.backends import Backends
from resilience import health_checker
from resilience.testing import ManualClock
from testing.client import Api, Operator, assert_problem
from testing.outages import reconnect
from tests.contract.conftest import ORDERS, QUESTIONS, ask

pytestmark = [pytest.mark.own_servers, pytest.mark.usefixtures("closed_circuits")]


@pytest.fixture
def no_dynamodb(backends: Backends) -> Iterator[None]:
    """DynamoDB is down."""
    backends.dynamodb.kill()
    yield
    backends.dynamodb.restart()
    backends.recover(backends.dynamodb)
    reconnect()


def test_degraded_is_a_warning_and_still_200(operator: Operator, backends: Backends) -> None:
    """Without Supabase Auth the service stays up and reports what is missing."""
    backends.project.auth.kill()
    try:
        data = ask(operator, "detailed")
        assert (data["status"], data["checks"]["auth"]["status"]) == ("warn", "warn")
        assert data["checks"]["auth"]["message"] == "Supabase Auth answers with status 502."  # no host name
        assert ask(operator, "dependencies")["status"] == "warn"
    finally:
        backends.project.auth.restart()


def test_without_the_database_it_is_503_with_everything_in_it(api: Api, operator: Operator, backends: Backends) -> None:
    """A failing critical check is an error of the contract, and the operator still sees all checks."""
    backends.project.postgrest.kill()
    try:
        body = assert_problem(operator.get("/health/detailed"), 503, "SERVICE_UNAVAILABLE")
        assert body["details"]["status"] == "fail"
        assert body["details"]["checks"]["database"]["status"] == "fail"
        assert body["details"]["checks"]["disk"]["status"] in {"pass", "warn"}
        assert "127.0.0.1" not in str(body)
        assert ask(operator, "dependencies")["status"] == "fail"
        assert_problem(api.get("/health/readiness"), 503, "SERVICE_UNAVAILABLE")
    finally:
        backends.project.postgrest.restart()


def test_readiness_answers_in_time_whatever_hangs(api: Api, backends: Backends) -> None:
    """A database that hangs costs a readiness probe 300 ms and does not affect liveness."""
    api.get("/health/readiness")
    backends.project.postgrest.freeze()
    try:
        took = []
        for _ in range(5):
            began = time.perf_counter()
            assert_problem(api.get("/health/readiness"), 503, "SERVICE_UNAVAILABLE")
            took.append(time.perf_counter() - began)
        assert sorted(took)[2] < 0.3, took
        began = time.perf_counter()
        assert api.get("/health/liveness").status_code == 200
        assert time.perf_counter() - began < 0.1
    finally:
        backends.project.postgrest.thaw()


@pytest.mark.parametrize("path", ["readiness", "detailed", "dependencies"])
def test_a_young_environment_has_time_to_connect(operator: Operator, backends: Backends, path: str) -> None:
    """A new environment may wait longer for its first answer from the database and does not report an outage."""
    health_checker.unregister_check("nothing")
    service.ping.reset()
    backends.project.postgrest.freeze()
    thaw = threading.Timer(0.6, backends.project.postgrest.thaw)
    thaw.start()
    try:
        response = operator.get(f"/health/{path}")
        assert response.status_code == 200, response.text
        assert response.json()["data"]["status"] != "fail"
    finally:
        thaw.join()


def test_a_young_environment_still_tells_of_an_outage(operator: Operator, backends: Backends) -> None:
    """A new environment waits four seconds and no longer."""
    service.ping.reset()
    backends.project.postgrest.freeze()
    try:
        began = time.perf_counter()
        assert_problem(operator.get("/health/readiness"), 503, "SERVICE_UNAVAILABLE")
        assert 3 < time.perf_counter() - began < 6
    finally:
        backends.project.postgrest.thaw()


def test_what_was_idle_may_connect_again(
    operator: Operator, backends: Backends, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After half a minute an idle connection may be closed: reconnecting is not reported as an outage."""
    clock = ManualClock()
    monkeypatch.setattr(service, "ping", service.DatabasePing(clock.steady))
    assert operator.get("/health/readiness").status_code == 200
    backends.project.postgrest.freeze()
    try:
        clock.advance(31)
        thaw = threading.Timer(0.6, backends.project.postgrest.thaw)
        thaw.start()
        assert operator.get("/health/readiness").status_code == 200
        thaw.join()
        backends.project.postgrest.freeze()
        assert_problem(operator.get("/health/readiness"), 503, "SERVICE_UNAVAILABLE")
    finally:
        backends.project.postgrest.thaw()


def test_a_question_goes_on_when_patience_ends(api: Api, backends: Backends, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow connection succeeds eventually, however short the probe's timeout is."""
    monkeypatch.setattr(service, "ping", service.DatabasePing())
    api.run(service.ping_database(1))
    backends.project.postgrest.freeze()
    asked: list[float] = []
    monkeypatch.setattr(service, "_ping", _counted(service._ping, asked))
    try:
        for _ in range(3):
            with pytest.raises(TimeoutError):
                api.run(service.ping_database(0.05))
    finally:
        backends.project.postgrest.thaw()
    api.run(service.ping_database(1))
    assert len(asked) == 1


def _counted(ask: Callable[[], Awaitable[None]], asked: list[float]) -> Callable[[], Awaitable[None]]:
    async def counted() -> None:
        asked.append(time.monotonic())
        await ask()

    return counted


def test_an_environment_that_is_not_let_run_says_no_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that the process reads a second late, because the machine is busy, still counts."""
    monkeypatch.setattr(service, "ping", service.DatabasePing())
    api.run(service.ping_database(1))

    async def starved() -> None:
        asked = asyncio.create_task(service.ping_database(service.READINESS_SECONDS))
        await asyncio.sleep(0)
        time.sleep(1)  # noqa: ASYNC251 - this is what being starved is
        await asked

    api.run(starved())


@pytest.mark.usefixtures("no_dynamodb")
def test_without_dynamodb_every_path_answers_and_says_so(api: Api, operator: Operator) -> None:
    """Without DynamoDB answers come from this environment's own data, and orders that reach no other one say so."""
    for path in QUESTIONS:
        data = ask(operator, path)
        assert data.get("complete", False) is False, path
    data = ask(operator, "detailed")
    assert (data["status"], data["checks"]["dynamodb"]["status"]) == ("warn", "warn")
    for path in ORDERS:
        body = assert_problem(operator.post(f"/health/{path}"), 503, "SERVICE_UNAVAILABLE")
        assert "DynamoDB" in body["message"]
    for path in ("", "/liveness", "/readiness"):
        assert api.get(f"/health{path}").status_code == 200


@pytest.mark.usefixtures("no_dynamodb")
def test_an_order_is_given_although_it_cannot_be_a_mark(operator: Operator) -> None:
    """Without DynamoDB an order is still answered with 503, and the metrics have no marks."""
    assert_problem(operator.post("/health/clear-cache"), 503, "SERVICE_UNAVAILABLE")
    data = ask(operator, "metrics?minutes=1440")
    assert (data["complete"], data["marks"]) == (False, [])
    assert ask(operator, "environments")["complete"] is False
