"""Code written for the former system works unchanged except for the import paths."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

import resilience
from resilience.testing import no_wait
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger
from studysync.web.middleware import ErrorHandlerMiddleware, RateLimitMiddleware, RequestValidationMiddleware
from testing.outages import reconnect


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    """Circuits, caches and metrics are the test's own."""
    reconnect()  # closes the store of earlier tests, if they had one
    resilience.configure(store=resilience.MemoryStore())
    yield
    resilience.configure()


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What `app_logger` prints."""
    stream = io.StringIO()
    handler = app_logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    yield stream
    handler.setStream(before)


def last(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return line


def test_monitor_performance() -> None:
    """A decorated endpoint is counted under its given name."""
    from resilience import monitor_performance, performance_monitor

    performance_monitor.reset()

    @monitor_performance("endpoint_name")
    async def my_endpoint() -> str:
        return "data"

    assert asyncio.run(my_endpoint()) == "data"
    assert performance_monitor.get_metrics()["endpoint_name"].count == 1


def test_cached() -> None:
    """Answers are cached, with and without a prefix, for functions without arguments too."""
    from resilience import cached

    calls: list[str] = []

    @cached(ttl=300, key_prefix="user_data")
    async def get_user_data(user_id: str) -> dict[str, str]:
        calls.append(user_id)
        return {"id": user_id}

    @cached(ttl=3600)
    async def get_badge_definitions() -> list[str]:
        calls.append("badges")
        return ["first_session"]

    for _ in range(2):
        assert asyncio.run(get_user_data("123")) == {"id": "123"}
        assert asyncio.run(get_badge_definitions()) == ["first_session"]
    assert calls == ["123", "badges"]


def test_connection_pool() -> None:
    """Connections are acquired and released by hand, with utilisation and waiting time in the statistics."""
    from resilience import connection_pool

    async def database_operation() -> Any:
        await connection_pool.acquire()
        try:
            return connection_pool.get_stats()
        finally:
            await connection_pool.release()

    stats = asyncio.run(database_operation())
    assert (stats.active, stats.limit, stats.utilisation) == (1, 20, 0.05)
    assert stats.wait_seconds_total >= 0.0
    assert connection_pool.get_stats().active == 0


def test_query_optimizer() -> None:
    """Batches of a given size, and a list of fields for a SELECT."""
    from resilience import QueryOptimizer

    batches = QueryOptimizer.batch_queries(list(range(250)), batch_size=100)
    assert [len(batch) for batch in batches] == [100, 100, 50]
    assert QueryOptimizer.optimize_select_fields(["id", "name", "email"], "users") == "id,name,email"
    assert QueryOptimizer.should_use_index(rows=100_000, selected=1)


def test_cache_manager() -> None:
    """Statistics, clearing the whole cache, and removing expired entries."""
    from resilience import cache_manager, cached

    @cached(ttl=60)
    def get_leaderboard() -> list[int]:
        return [1]

    get_leaderboard()
    get_leaderboard()
    stats = cache_manager.get_stats()
    assert stats.entries == 1
    assert stats.bytes > 0
    assert 0.0 < stats.hit_rate <= 1.0
    assert cache_manager.cleanup_expired() == 0
    cache_manager.clear()
    assert cache_manager.get_stats().entries == 0


def test_circuit_breaker() -> None:
    """Ten consecutive failures open it, with their count and time; a reset closes it."""
    from resilience import circuit_breaker

    @circuit_breaker(failure_threshold=5, recovery_timeout=60, name="external_api")
    async def failing_function() -> None:
        raise ConnectionError

    async def scenario() -> None:
        for _ in range(10):
            with contextlib.suppress(Exception):
                await failing_function()

    asyncio.run(scenario())
    state = failing_function.circuit_breaker.get_state()
    assert f"{state}" == "open"
    snapshot = failing_function.circuit_breaker.snapshot()
    assert snapshot.total_failures == 5
    assert snapshot.last_failure_at is not None
    failing_function.circuit_breaker.reset()
    assert failing_function.circuit_breaker.get_state() == "closed"
    assert {each.name for each in resilience.CircuitState} == {"CLOSED", "OPEN", "HALF_OPEN"}


def test_retry() -> None:
    """Retries work as a decorator with all settings, and by hand with arguments."""
    from resilience import retry_async, with_retry

    attempts: list[int] = []

    @with_retry(
        max_retries=3, base_delay=1.0, max_delay=60.0, exponential_base=2.0, jitter=True, retry_on=(ConnectionError,)
    )
    async def unreliable_operation() -> int:
        attempts.append(1)
        if len(attempts) < 3:
            raise ConnectionError
        return len(attempts)

    async def my_function(arg1: str, arg2: str) -> str:
        return arg1 + arg2

    with no_wait():
        assert asyncio.run(unreliable_operation()) == 3
        assert asyncio.run(retry_async(my_function, "a", "b", max_retries=3, base_delay=1.0)) == "ab"


def test_fallback() -> None:
    """A registered fallback is served when the function fails."""
    from resilience import fallback_handler, with_fallback

    fallback_handler.register_fallback("user_stats", {"xp": 0, "level": 1})

    @with_fallback("user_stats")
    async def get_user_stats(user_id: str) -> dict[str, int]:
        raise ConnectionError

    try:
        assert asyncio.run(get_user_stats("123")) == {"xp": 0, "level": 1}
    finally:
        fallback_handler.unregister_fallback("user_stats")


def test_health_checker() -> None:
    """A custom check is included in the report."""
    from resilience import health_checker

    async def check_redis() -> str:
        raise ConnectionError("Redis is down")

    health_checker.register_check("redis", check_redis)
    try:
        report = asyncio.run(health_checker.run_all())
        assert report.checks["redis"].status == "fail"
    finally:
        health_checker.unregister_check("redis")


@pytest.mark.parametrize(
    ("write", "fields"),
    [
        (
            lambda: app_logger.info("User logged in", user_id="123", ip="192.168.1.1"),
            {"message": "User logged in", "level": "INFO", "user_id": "123", "ip": "192.168.1.1"},
        ),
        (
            lambda: app_logger.error("Database error", exc_info=True, table="users"),
            {"message": "Database error", "level": "ERROR", "table": "users"},
        ),
        (
            lambda: app_logger.log_request(
                method="POST", path="/api/sessions", status_code=201, duration=0.45, user_id="123"
            ),
            {"method": "POST", "path": "/api/sessions", "status_code": 201, "duration_ms": 450.0, "user_id": "123"},
        ),
        (
            lambda: app_logger.log_database_operation(
                operation="insert", table="sessions", duration=0.12, success=False
            ),
            {"operation": "insert", "table": "sessions", "duration_ms": 120.0, "success": False},
        ),
        (
            lambda: app_logger.log_business_event(
                event_type="session_completed", user_id="123", session_id="456", xp_awarded=50
            ),
            {"event_type": "session_completed", "user_id": "123", "session_id": "456", "xp_awarded": 50},
        ),
        (
            lambda: app_logger.log_security_event(
                event_type="failed_login", severity="high", user_id="123", ip_address="192.168.1.1"
            ),
            {"event_type": "failed_login", "severity": "high", "ip_address": "192.168.1.1", "level": "WARNING"},
        ),
        (
            lambda: audit_logger.log_authentication(user_id="123", success=True, ip_address="192.168.1.1"),
            {"kind": "audit", "action": "authentication", "success": True, "ip_address": "192.168.1.1"},
        ),
        (
            lambda: audit_logger.log_data_modification(
                user_id="123",
                resource_type="session",
                resource_id="456",
                operation="update",
                changes={"status": "completed"},
            ),
            {"kind": "audit", "resource_id": "456", "operation": "update", "changes": {"status": "completed"}},
        ),
    ],
)
def test_loggers(write: Any, fields: dict[str, Any], logged: io.StringIO) -> None:
    """Every call writes one line of JSON with its arguments."""
    write()
    line = last(logged)
    assert {name: line.get(name) for name in fields} == fields


def test_error_tracker(logged: io.StringIO) -> None:
    """A logged error is also counted."""
    error_tracker.clear_errors()
    app_logger.error("Database timeout", error_type="DatabaseTimeout")
    app_logger.error("Database timeout", error_type="DatabaseTimeout")
    summary = error_tracker.get_error_summary()
    assert (summary["total_errors"], summary["unique_errors"]) == (2, 1)
    (top,) = error_tracker.get_top_errors(limit=10)
    assert (top["error_type"], top["count"]) == ("DatabaseTimeout", 2)
    error_tracker.clear_errors()
    assert error_tracker.get_top_errors() == []


def ask(app: FastAPI, requests: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
    async def scenario() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app.test") as client:
            return [await client.request(method, path, **options) for method, path, options in requests]

    return asyncio.run(scenario())


def test_middleware_in_the_order_that_was_shown(logged: io.StringIO) -> None:
    """On any app, in any order, the outermost being the last added, each refuses in the contract's format."""
    app = FastAPI()

    @app.post("/echo")
    async def echo(request: Request) -> int:
        return len(await request.body())

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("broken")

    app.add_middleware(ErrorHandlerMiddleware, include_traceback=True)
    app.add_middleware(RequestValidationMiddleware, max_request_size=10 * 1024)
    app.add_middleware(RateLimitMiddleware, requests_per_minute=100)
    json_body = {"content-type": "application/json"}
    answers = ask(
        app,
        [
            ("POST", "/echo", {"json": [1]}),
            ("GET", "/broken", {}),
            ("POST", "/echo", {"content": b"x" * 10_241, "headers": json_body}),
            ("POST", "/echo", {"content": b"x", "headers": {"content-type": "text/plain"}}),
        ],
    )
    assert [answer.status_code for answer in answers] == [200, 500, 413, 415]
    assert [answer.json()["error_code"] for answer in answers[1:]] == [
        "INTERNAL_ERROR", "REQUEST_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE",
    ]  # fmt: skip
    assert answers[1].json()["details"]["traceback"][-1] == "ValueError: broken"
    refused = ask(app, [("POST", "/echo", {"json": 1})] * 110)[-1]
    assert (refused.status_code, refused.json()["error_code"]) == (429, "RATE_LIMIT_EXCEEDED")
    assert int(refused.headers["retry-after"]) == refused.json()["details"]["retry_after_seconds"]


def test_health_routes_are_included_in_any_app() -> None:
    """The router works from its new import path."""
    from health.routes import router as health_router

    app = FastAPI()
    app.include_router(health_router)
    (answer, alive) = ask(app, [("GET", "/health/", {}), ("GET", "/health/liveness", {})])
    assert (answer.status_code, answer.json()["success"], alive.status_code) == (200, True, 200)
