"""Health and operations: who has access, and what the answers contain."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest

from health.operations import authentication
from resilience import MemoryStore, RateLimiter, cache_manager, performance_monitor, shared_circuits
from studysync.settings import get_settings
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger
from testing.client import Api, Operator, Student, assert_problem
from testing.waiting import wait_until
from tests.contract.conftest import ORDERS, QUESTIONS, Lines, ask

pytestmark = pytest.mark.usefixtures("no_wrong_tokens", "closed_circuits")
TOKENS = {"ana": "ana's operator token, which is long", "ben": "ben's operator token, which is long"}


@pytest.fixture
def tokens(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """A stack with two operators."""
    monkeypatch.setenv("OPERATOR_TOKENS", json.dumps(TOKENS))
    get_settings.cache_clear()
    yield TOKENS
    get_settings.cache_clear()


@pytest.mark.parametrize("path", QUESTIONS)
def test_operators_are_answered(operator: Operator, path: str) -> None:
    """Every operator endpoint answers, with and without a trailing slash."""
    ask(operator, path)
    ask(operator, f"{path}/")


def test_operators_show_a_token(api: Api, student: Student, tokens: dict[str, str]) -> None:
    """Without an operator token nothing is shown or changed; a user's token does not count as one."""
    some = tokens["ana"]
    for method, paths in (("GET", QUESTIONS), ("POST", ORDERS)):
        for path in paths:
            for wrong in (None, "", "wrong", some + "x", some[:-1], "ana", student.token, "t\u043eken"):
                headers = {} if wrong is None else {"Authorization": f"Bearer {wrong}".encode()}
                response = api.request(method, f"/health/{path}", headers=headers)
                assert_problem(response, 401, "AUTHENTICATION_ERROR")
                assert response.headers["www-authenticate"] == "Bearer"
            for token in tokens.values():
                assert api.request(method, f"/health/{path}", token=token).status_code == 200, path


def test_an_order_names_who_gave_it(api: Api, tokens: dict[str, str], logged: Lines) -> None:
    """Every order is audited with the operator's name, and no audit line contains a token."""
    for token in tokens.values():
        for path in ORDERS:
            assert api.post(f"/health/{path}", token=token).status_code == 200
    given = [line["user_id"] for line in logged.of_kind("audit")]
    assert given == [f"operator:{name}" for name in tokens for _ in ORDERS]
    assert not any(token in logged.text for token in tokens.values())


def test_wrong_tokens_are_limited_and_right_ones_are_not(
    api: Api, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Repeated wrong tokens are rate limited; operators at the same address and callers without a token are not."""
    monkeypatch.setattr(
        authentication, "wrong_tokens", RateLimiter(per_minute=5, name="operators", store=MemoryStore())
    )
    statuses = [api.get("/health/metrics", token=f"wrong {n}").status_code for n in range(12)]
    assert set(statuses) == {401, 429}
    assert statuses.index(429) == 5
    refused = api.get("/health/metrics", token="wrong")
    assert_problem(refused, 429, "RATE_LIMIT_EXCEEDED")
    assert int(refused.headers["retry-after"]) > 0
    assert_problem(api.get("/health/metrics"), 401, "AUTHENTICATION_ERROR")
    assert api.get("/health/metrics", token=tokens["ben"]).status_code == 200


@pytest.mark.parametrize("stage", ["local", "prod"])
def test_a_stack_without_operators_is_closed(api: Api, monkeypatch: pytest.MonkeyPatch, stage: str) -> None:
    """Without configured operators every operator endpoint is closed at any stage; public paths stay open."""
    monkeypatch.setenv("STAGE", stage)
    monkeypatch.delenv("OPERATOR_TOKENS")
    get_settings.cache_clear()
    try:
        for path in QUESTIONS:
            assert_problem(api.get(f"/health/{path}"), 403, "AUTHORIZATION_ERROR")
            assert_problem(api.get(f"/health/{path}", token="anything"), 403, "AUTHORIZATION_ERROR")
        for path in ("", "/liveness", "/readiness", "/dashboard"):
            assert api.get(f"/health{path}").status_code == 200
    finally:
        get_settings.cache_clear()


def test_detailed_tells_everything(operator: Operator) -> None:
    """The detailed report has each check's latency and the environment's metrics."""
    data = ask(operator, "detailed")
    assert set(data["checks"]) == {"database", "auth", "dynamodb", "memory", "disk", "cpu", "circuits"}
    assert data["checks"]["database"]["status"] == "pass"
    assert data["checks"]["auth"]["status"] == "pass"
    assert data["checks"]["dynamodb"]["message"] == "The table answers."
    assert all(check["latency_ms"] >= 0 for check in data["checks"].values())
    assert data["uptime_seconds"] > 0
    assert data["system"]["memory"]["used_mb"] > 0
    assert {circuit["name"] for circuit in data["circuits"]} >= {"auth", "database"}


def forget_figures(operator: Operator) -> None:
    """Drop what was measured, also in the store, which a busy machine may be too slow to reach."""
    wait_until(lambda: operator.api.run(performance_monitor.reset_async()))


def test_metrics_speak_of_every_endpoint(operator: Operator, student: Student) -> None:
    """Calls, errors and percentiles are counted by route template, and those of dependencies separately."""
    forget_figures(operator)
    for _ in range(3):
        student.get("/api/users/me")
    student.get("/api/users/nonsense")
    data = ask(operator, "metrics")
    found = {each["name"]: each for each in data["endpoints"]}
    users = found["GET /api/users/me"]
    assert (users["requests"], users["errors"]) == (3, 0)
    assert found["GET /api/users/{user_id}"]["requests"] == 1
    assert 0 < users["p50_ms"] <= users["p95_ms"] <= users["p99_ms"] <= users["max_ms"] * 1.02
    assert any(each["name"] == "database get_profile" and each["requests"] == 3 for each in data["dependencies"])
    assert sum(minute["requests"] for minute in data["minutes"]) == 4
    assert data["complete"]
    assert data["pool"]["limit"] == 20
    assert 0 <= data["cache"]["hit_rate"] <= 1


def test_slow_requests_are_listed(operator: Operator) -> None:
    """Requests over the threshold are listed by template, slowest first, without dependency and operator calls."""
    forget_figures(operator)
    for name, seconds in (
        ("GET /api/users", 1.2),
        ("GET /api/spaces", 3.5),
        ("database slow", 9.0),
        ("GET /health/detailed", 5.0),
    ):
        performance_monitor.record(name, seconds)
    found = ask(operator, "slow-requests")["requests"]
    assert [(each["name"], each["seconds"]) for each in found] == [("GET /api/spaces", 3.5), ("GET /api/users", 1.2)]
    assert len(ask(operator, "slow-requests?threshold=2")["requests"]) == 1
    assert_problem(operator.get("/health/slow-requests?threshold=-1"), 400, "VALIDATION_ERROR")


def test_errors_are_counted_by_fingerprint(operator: Operator) -> None:
    """Equal errors are grouped regardless of numbers in the message, and the message itself is not stored."""
    error_tracker.clear_errors()
    for number in (1, 22):
        try:
            raise ValueError(f"secret {number}")
        except ValueError:
            app_logger.exception(f"step {number} failed")
    app_logger.error("Database timeout", error_type="DatabaseTimeout")
    data = ask(operator, "errors")
    assert (data["total_errors"], data["unique_errors"]) == (3, 2)
    assert data["errors_by_type"] == {"ValueError": 2, "DatabaseTimeout": 1}
    first = data["errors"][0]
    assert (first["count"], first["message"], first["error_type"]) == (2, "step # failed", "ValueError")
    assert "test_health.py" in first["where"]
    assert "secret" not in str(data)
    assert operator.post("/health/clear-errors").status_code == 200
    assert ask(operator, "errors")["total_errors"] == 0


def test_causes_come_before_consequences(operator: Operator) -> None:
    """The cause comes before rejected calls, however many there are, and each entry says which of the two it is."""
    error_tracker.clear_errors()
    for _ in range(3):
        app_logger.error("calls are not made", error_type="CircuitOpenError")
    app_logger.error("connection refused", error_type="DatabaseDownError", request_id="req-7")
    data = ask(operator, "errors?limit=1")
    assert [(each["error_type"], each["consequence"]) for each in data["errors"]] == [("DatabaseDownError", False)]
    assert data["errors"][0]["request_id"] == "req-7"
    assert data["log"].endswith("studysync_all.log")
    assert [each["consequence"] for each in ask(operator, "errors")["errors"]] == [False, True]


def test_a_circuit_says_since_when_it_is_not_closed(operator: Operator) -> None:
    """The time counts from the first change, whatever followed; a closed circuit shows none."""

    def auth() -> dict[str, Any]:
        return next(each for each in ask(operator, "circuits")["circuits"] if each["name"] == "auth")

    operator.post("/health/circuits/auth/reset")
    assert auth()["since"] is None
    began = time.time()
    for _ in range(2):
        operator.post("/health/circuits/auth/open?seconds=60")
    assert abs(datetime.fromisoformat(auth()["since"]).timestamp() - began) < 3
    operator.post("/health/circuits/auth/reset")
    assert (auth()["since"], auth()["state"]) == (None, "closed")


def test_circuits_are_opened_and_reset_by_name(operator: Operator, student: Student) -> None:
    """An order takes effect immediately, and the circuit's history keeps the earlier changes."""
    assert operator.post("/health/circuits/database/open?seconds=60").status_code == 200
    assert_problem(student.get("/api/users/me"), 503, "SERVICE_UNAVAILABLE")
    shown = next(each for each in ask(operator, "circuits")["circuits"] if each["name"] == "database")
    assert (shown["state"], shown["reason"]) == ("open", "forced")
    assert 0 < shown["retry_after_seconds"] <= 60
    assert operator.post("/health/circuits/database/reset").status_code == 200
    assert student.get("/api/users/me").status_code == 200
    shown = next(each for each in ask(operator, "circuits")["circuits"] if each["name"] == "database")
    assert [(change["state"], change["reason"]) for change in shown["history"]][-2:] == [
        ("open", "forced"),
        ("closed", "reset"),
    ]
    assert_problem(operator.post("/health/circuits/unheard-of/reset"), 404, "NOT_FOUND")
    assert "unheard-of" not in {each.name for each in shared_circuits()}


def test_the_cache_is_cleared_in_every_environment(operator: Operator) -> None:
    """Clearing the cache advances the generation that all environments follow."""
    before = cache_manager.get_stats().generation
    assert operator.post("/health/clear-cache").status_code == 200
    assert cache_manager.get_stats().generation == before + 1


def test_metrics_are_reset(operator: Operator, student: Student) -> None:
    """A reset discards everything measured before it."""
    assert operator.post("/health/reset-metrics").status_code == 200
    names = {each["name"] for each in ask(operator, "metrics")["endpoints"]}
    assert "POST /api/auth/register" not in names


def test_logs_name_the_whole_route(operator: Operator, student: Student, logged: Lines) -> None:
    """Also for routes of a router within another's prefix."""
    operator.post(f"/health/accounts/{student.user_id}/suspend", {"reason": "a test"})
    operator.get("/health/switches")
    paths = [line["path"] for line in logged.of_kind("request")]
    assert paths == ["/health/accounts/{user_id}/suspend", "/health/switches"]
