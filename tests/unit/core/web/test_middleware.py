"""How middleware handles errors of a route, stale caches, and unknown methods."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from starlette.types import Message, Receive, Scope, Send

from health.operations.fleet import is_traffic
from resilience import (
    BulkheadFullError,
    CircuitOpenError,
    DeadlineExceededError,
    RateLimitedError,
    RateLimiter,
    StoreError,
    performance_monitor,
)
from resilience._degradation import record_cached, record_fallback
from studysync.errors import forbidden
from studysync.web.middleware import ErrorHandlerMiddleware, RequestContextMiddleware, RequestValidationMiddleware
from testing.client import assert_problem

Route = Callable[[], Awaitable[Any]]


def answer(route: Route, *, method: str = "GET", traceback: bool = False) -> httpx.Response:
    """Call a route behind the two outer layers."""
    app = FastAPI()
    app.add_middleware(ErrorHandlerMiddleware, include_traceback=traceback)
    app.add_middleware(RequestContextMiddleware)
    app.add_api_route("/thing", route)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.test") as client:
            return await client.request(method, "/thing")

    return asyncio.run(ask())


def raising(error: Exception) -> Route:
    async def route() -> None:
        raise error

    return route


def limited() -> RateLimitedError:
    limiter = RateLimiter(per_minute=1)
    while limiter.check("u").allowed:
        pass
    return RateLimitedError(limiter.check("u"))


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (CircuitOpenError("payments", 7.2), 503, "SERVICE_UNAVAILABLE", "8"),
        (DeadlineExceededError("no time left"), 503, "SERVICE_UNAVAILABLE", "1"),
        (BulkheadFullError(20, 5.0), 503, "SERVICE_UNAVAILABLE", "1"),
        (StoreError("down"), 503, "SERVICE_UNAVAILABLE", "1"),
        (limited(), 429, "RATE_LIMIT_EXCEEDED", None),
        (forbidden(), 403, "AUTHORIZATION_ERROR", None),
        (KeyError("secret detail"), 500, "INTERNAL_ERROR", None),
    ],
)
def test_what_the_resilience_layer_refuses_may_be_tried_again(
    error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    """Refusals of the resilience layer are a 503 or 429 with Retry-After; a bug's text is not shown."""
    response = answer(raising(error))
    assert (response.status_code, response.json()["error_code"]) == (status, code)
    assert response.headers.get("retry-after", "0").isdecimal()
    if retry_after:
        assert response.headers["retry-after"] == retry_after
    assert "secret detail" not in response.text


def test_a_traceback_is_shown_only_where_it_was_asked_for() -> None:
    """A traceback is shown only on a developer's machine, for unexpected errors."""
    shown = answer(raising(KeyError("x")), traceback=True).json()["details"]["traceback"]
    assert any("KeyError" in line for line in shown)
    assert "details" not in answer(raising(StoreError("x")), traceback=True).json()


def test_an_answer_says_when_it_is_old_or_makes_do() -> None:
    """Stale values and fallbacks are marked, fresh values are not."""

    async def old() -> str:
        record_cached(42.9, stale=True)
        record_fallback("recommendations")
        return "old"

    async def fresh() -> str:
        record_cached(3.0, stale=False)
        return "fresh"

    headers = answer(old).headers
    assert (headers["x-cache"], headers["age"], headers["x-degraded"]) == ("stale", "42", "recommendations")
    assert not {"x-cache", "age", "x-degraded"} & set(answer(fresh).headers)


def test_an_answer_that_lambda_would_not_give_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """An oversized answer is an error of the contract and a log line, not a crash; one that just fits is sent."""

    async def too_large() -> str:
        return '"' * 1_500_001  # three more bytes each: escaped in JSON, and both characters in Lambda's JSON

    async def large() -> str:
        return "x" * 5_900_000

    assert_problem(answer(too_large), 500, "INTERNAL_ERROR")
    assert [vars(record).get("error_type") for record in caplog.records if vars(record).get("kind") == "error"] == [
        "AnswerTooLargeError"
    ]
    fine = answer(large)
    assert (fine.status_code, len(fine.content)) == (200, 5_900_002)


def test_an_answer_in_pieces_goes_out_as_it_comes() -> None:
    """We stream no answers ourselves, but a mounted app may."""

    async def pieces() -> StreamingResponse:
        return StreamingResponse(iter([b"a", b"b", b""]), status_code=203)

    response = answer(pieces)
    assert (response.status_code, response.content) == (203, b"ab")


def test_methods_that_are_made_up_count_as_one() -> None:
    """Metrics hold a limited number of names, which a client must not fill."""

    async def fine() -> str:
        return "fine"

    for number in range(5):
        assert answer(fine, method=f"MADEUP{number}").status_code == 405
    counted = [name for name in performance_monitor.get_metrics() if "MADEUP" in name or name.startswith("OTHER ")]
    assert len(counted) == 1
    assert is_traffic(counted[0])


@pytest.mark.parametrize("layer", [ErrorHandlerMiddleware, RequestContextMiddleware, RequestValidationMiddleware])
def test_what_is_no_request_passes(layer: Any) -> None:
    """Lifespan events pass, for those who run an app outside Lambda."""
    seen: list[str] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(scope["type"])

    async def nothing(*_: Any) -> Any:
        return {}

    asyncio.run(layer(app)({"type": "lifespan"}, nothing, nothing))
    assert seen == ["lifespan"]


def test_an_answer_that_breaks_half_way_is_not_begun_again() -> None:
    """The headers are already sent, so the error ends the answer and is logged."""
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
    """A further receive reports that the client has disconnected."""
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
    """A limit that would refuse every body is refused at start."""
    with pytest.raises(ValueError, match="max_request_size"):
        RequestValidationMiddleware(FastAPI(), max_request_size=-1)
