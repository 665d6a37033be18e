"""How Supabase Auth's answers are interpreted, including those that the local stand-in never gives."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from studysync.context import begin_request
from studysync.errors import ApiError
from studysync.settings import Settings
from users.auth import AccountRefusedError, SupabaseAuth
from users.auth_client import breaker

SETTINGS = Settings(supabase_url="https://x.supabase.co", supabase_secret_key="sb_secret_key")
Call = Callable[[SupabaseAuth], Awaitable[Any]]


@pytest.fixture(autouse=True)
def unharmed() -> Iterator[None]:
    """Failures of one test do not count in the next."""
    yield
    breaker.reset()


def told(call: Call, answer: httpx.Response | Exception) -> Exception:
    """Call a Supabase Auth that gives this answer; returns the raised error."""

    async def serve(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
            await call(SupabaseAuth(SETTINGS, client))

    with pytest.raises((ApiError, AccountRefusedError)) as raised:
        asyncio.run(ask())
    return raised.value


def refusal(code: str, status: int = 400) -> httpx.Response:
    return httpx.Response(status, json={"code": status, "error_code": code, "msg": "no"}, headers={"x-sb": "1"})


def create(auth: SupabaseAuth) -> Awaitable[Any]:
    return auth.create_account("ada@example.com", "analytical1", {}, confirmed=True)


def sign_in(auth: SupabaseAuth) -> Awaitable[Any]:
    return auth.sign_in("ada@example.com", "analytical1")


@pytest.mark.parametrize(
    ("call", "answer", "code"),
    [
        (create, refusal("email_address_invalid"), "VALIDATION_ERROR"),
        (create, refusal("validation_failed", 422), "VALIDATION_ERROR"),
        (sign_in, refusal("invalid_credentials"), "AUTHENTICATION_ERROR"),
        (sign_in, refusal("over_request_rate_limit", 429), "RATE_LIMIT_EXCEEDED"),
        (sign_in, refusal("something_new", 418), "SERVICE_UNAVAILABLE"),
        (sign_in, httpx.Response(502, html="<p>Bad gateway</p>"), "SERVICE_UNAVAILABLE"),
        (sign_in, httpx.ConnectError("refused"), "SERVICE_UNAVAILABLE"),
        (sign_in, httpx.ReadTimeout("slow"), "SERVICE_UNAVAILABLE"),
        (sign_in, TimeoutError(), "SERVICE_UNAVAILABLE"),
    ],
)
def test_every_answer_has_its_error(call: Call, answer: httpx.Response | Exception, code: str) -> None:
    """Client errors are reported as such, transient errors are a 503, and no other detail is shown."""
    error = told(call, answer)
    assert isinstance(error, ApiError)
    assert error.kind.code == code
    if code == "RATE_LIMIT_EXCEEDED":
        assert error.headers["Retry-After"] == "60"


def test_an_account_that_is_refused_is_looked_into() -> None:
    """Only the database knows whether the address is taken or the profile was refused."""
    assert isinstance(told(create, refusal("email_exists", 422)), AccountRefusedError)


@pytest.mark.parametrize("answer", [httpx.ReadTimeout("slow"), TimeoutError(), httpx.Response(504)], ids=repr)
def test_what_takes_one_caller_too_long_opens_no_circuit(answer: httpx.Response | Exception) -> None:
    """Timeouts of two callers keep the circuit closed, so that others can sign in; those of a third open it."""

    def call_as(user_id: str) -> None:
        scope = {"type": "http", "method": "POST", "path": "/", "client": None}

        async def run() -> None:
            begin_request(scope, None).user_id = user_id
            async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
                await sign_in(SupabaseAuth(SETTINGS, client))

        with pytest.raises(ApiError):
            asyncio.run(run())

    async def serve(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    for caller in ["mallory"] * 20 + ["alice"]:
        call_as(caller)
    assert breaker.get_state() == "closed"
    call_as("bob")
    assert breaker.get_state() == "open"


@pytest.mark.parametrize("answer", [httpx.ConnectError("refused"), httpx.ConnectTimeout("nobody")], ids=repr)
def test_an_outage_opens_the_circuit(answer: Exception) -> None:
    """Five callers wait for the outage and the next do not; a refused password is no outage."""
    for _ in range(8):
        told(sign_in, refusal("invalid_credentials"))
    assert breaker.get_state() == "closed"
    for _ in range(5):
        told(sign_in, answer)
    assert breaker.get_state() == "open"
    assert "Retry-After" in getattr(told(sign_in, answer), "headers", {})
