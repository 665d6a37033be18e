"""What a request seldom meets: other protocols, answers that break half way, places that only AWS has."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from typing import Any

import httpx
import pytest
import snapshot_restore_py
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.routing import NoMatchFound
from starlette.types import Message, Receive, Scope, Send

from health.operations import checks, system
from resilience import CircuitBreaker, MemoryStore, configure
from studysync.aws import snapstart
from studysync.telemetry import tracing
from studysync.telemetry.error_tracker import ErrorTracker, TrackingHandler
from studysync.telemetry.logging import app_logger
from studysync.web.middleware import ErrorHandlerMiddleware, RequestContextMiddleware, RequestValidationMiddleware
from studysync.web.routing import LazyRoutes
from sync.events import _digest


@pytest.mark.parametrize("layer", [ErrorHandlerMiddleware, RequestContextMiddleware, RequestValidationMiddleware])
def test_what_is_no_request_passes(layer: Any) -> None:
    """A server's start and end, for those who run an app outside Lambda."""
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    asyncio.run(layer(app)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]


def test_an_answer_that_breaks_half_way_is_not_begun_again() -> None:
    """Its head is out already; the error ends it, and is in the log."""
    app = FastAPI()
    app.add_middleware(ErrorHandlerMiddleware)

    async def half() -> StreamingResponse:
        async def body() -> Any:
            yield b"half"
            raise KeyError("lost")

        return StreamingResponse(body())

    app.add_api_route("/half", half)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client:
            await client.get("/half")

    with pytest.raises(KeyError):
        asyncio.run(ask())


def test_a_body_is_given_once_and_then_the_connection_speaks() -> None:
    """Whoever goes on listening hears that the client has gone."""
    heard: list[Message] = []

    async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
        heard.extend([await receive(), await receive()])

    messages = [{"type": "http.request", "body": b"{}", "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_: Message) -> None:
        pytest.fail("nobody answers")

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": [(b"content-type", b"application/json")]}
    asyncio.run(RequestValidationMiddleware(app)(scope, receive, send))
    assert [message["type"] for message in heard] == ["http.request", "http.disconnect"]
    assert heard[0]["body"] == b"{}"


def test_a_limit_below_nothing_is_refused() -> None:
    """A setting that refuses every body would be found out with the first one."""
    with pytest.raises(ValueError, match="max_request_size"):
        RequestValidationMiddleware(FastAPI(), max_request_size=-1)


def test_an_error_without_a_place_is_counted() -> None:
    """One that was made and never raised has no line that it came from."""
    tracker = ErrorTracker()
    error = KeyError("x")
    record = app_logger._logger.makeRecord("x", 40, "x.py", 1, "broken", (), (KeyError, error, None))
    TrackingHandler(tracker).emit(record)
    assert tracker.get_top_errors()[0]["where"] == ""


def test_lambdas_memory_is_the_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On AWS the share is of what the function was given, not of a machine that it shares."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    found = system.memory()
    assert found["total_mb"] == 512
    assert found["percent"] == pytest.approx(100 * found["used_mb"] / 512, abs=0.2)


def test_an_auth_server_that_fails_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any answer counts but a server's own error."""
    for name, value in {"SUPABASE_URL": "https://x.supabase.co", "SUPABASE_SERVICE_ROLE_KEY": "key"}.items():
        monkeypatch.setenv(name, os.environ.get(name, value))
    answers = [httpx.Response(503), httpx.Response(404)]
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answers.pop(0)))
    monkeypatch.setattr(checks, "http_client", lambda: client)
    with pytest.raises(checks.UnhealthyError, match="status 503"):
        asyncio.run(checks._auth())
    assert asyncio.run(checks._auth()) == "Supabase Auth answers."


def test_a_machine_that_is_full_is_not_well() -> None:
    """Memory, disk and processors are fine up to a share, and say which."""
    assert checks._within("disk", 89.4, 90) == "89 % in use"
    with pytest.raises(checks.UnhealthyError, match="90 % of the disk is in use"):
        checks._within("disk", 90.0, 90)


def test_circuits_that_are_not_closed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that whoever looks knows which dependency is meant."""
    configure(store=MemoryStore())
    assert asyncio.run(checks._circuits()) == "All circuits are closed."
    CircuitBreaker("payments").force_open()
    with pytest.raises(checks.UnhealthyError, match="Not closed: payments"):
        asyncio.run(checks._circuits())
    configure()


def test_routes_have_no_names() -> None:
    """Nothing here makes URLs from names, so those that load late need not be loaded for it."""
    with pytest.raises(NoMatchFound):
        LazyRoutes("health.operations.models", prefix="/x").url_path_for("anything")


def test_a_snapshot_is_warmed_up_and_copies_wake_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """On SnapStart the hooks are there, and the warming request is one that a gateway could have sent."""
    asked: list[tuple[Any, Any]] = []
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    for name in ("_before_snapshot_registry", "_after_restore_registry"):
        monkeypatch.setattr(snapshot_restore_py, name, [])

    def handler(event: Any, context: Any) -> None:
        asked.append((event, context))

    assert snapstart.install(handler)
    assert len(snapshot_restore_py._before_snapshot_registry) == len(snapshot_restore_py._after_restore_registry) == 1
    snapstart.warm_up(handler)
    ((event, context),) = asked
    assert (event["version"], event["rawPath"]) == ("2.0", event["requestContext"]["http"]["path"])
    assert context.get_remaining_time_in_millis() > 0


def test_what_is_nested_without_end_has_a_digest() -> None:
    """An offline event cannot take the batch down with it; the depth itself is refused where payloads are checked."""
    deep: list[Any] = []
    for _ in range(sys.getrecursionlimit() * 100):
        deep = [deep]
    assert _digest(deep) == _digest("nested without end") or len(_digest(deep)) == 64


def test_a_daemon_that_cannot_be_reached_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """X-Ray's address may be none; the socket is made anew with the next call."""
    monkeypatch.setattr(tracing, "_socket", None)
    monkeypatch.setattr(socket, "socket", _broken)
    tracing._send("127.0.0.1:2000", {})
    assert tracing._socket is None
    tracing._send("nowhere", {})
    assert tracing._socket is None


def _broken(*_: Any) -> Any:
    raise OSError("no more descriptors")
