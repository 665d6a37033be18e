"""Faults of hosted Supabase: the same 503 for PostgREST and Auth, and no 500."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import httpx
import pytest

from resilience.testing import no_wait
from studysync.db.client import Database, _protected
from studysync.db.client import breaker as database_breaker
from studysync.errors import ApiError
from studysync.settings import Settings
from users.auth import SupabaseAuth
from users.auth_client import breaker as auth_breaker

SETTINGS = Settings(supabase_url="https://x.supabase.co", supabase_secret_key="sb_secret_key")
PAGE = "<html><body>Web server is down</body></html>"
STATUSES = [408, 429, 500, 502, 503, 504, *range(520, 531), 540, 544, 546]
ANSWERS = {
    **{f"{status} page": httpx.Response(status, html=PAGE) for status in (200, 302, 400, 403, 404, 413, *STATUSES)},
    **{f"{status} empty": httpx.Response(status) for status in STATUSES},
    **{f"{status} message": httpx.Response(status, json={"message": "no"}) for status in STATUSES},
    "200 nothing": httpx.Response(200),
    "200 object": httpx.Response(200, json={}),
    "status as code": httpx.Response(530, json={"code": 530, "message": "no"}),
    "list as code": httpx.Response(500, json={"code": ["XX000"], "message": "no"}),
    "list": httpx.Response(500, json=["no"]),
    "text": httpx.Response(503, json="no"),
}
# A status is no SQLSTATE: class 53 is transient, and 53x depends on the error.
CODES = ["25006", "57P04", "57P05", "25P03", "25P04", "57P03", "53300", "PGRST000", "PGRST002", "PGRST202", "PGRST301"]
Call = Callable[[httpx.AsyncBaseTransport], Awaitable[Any]]


async def call_database(transport: httpx.AsyncBaseTransport) -> Any:
    return await Database(SETTINGS, transport).call("get_profile")


async def call_auth(transport: httpx.AsyncBaseTransport) -> Any:
    async with httpx.AsyncClient(transport=transport) as client:
        return await SupabaseAuth(SETTINGS, client).sign_in("ada@example.com", "analytical1")


SIDES = {"database": (call_database, database_breaker), "auth": (call_auth, auth_breaker)}


@pytest.fixture(autouse=True)
def unharmed() -> Iterator[None]:
    """Failures of one test do not count in the next."""
    for _ in range(300):
        _protected.retry_policy.budget.deposit()
    with no_wait():
        yield
    database_breaker.reset()
    auth_breaker.reset()


def told(call: Call, answer: httpx.Response) -> ApiError:
    def serve(_: httpx.Request) -> httpx.Response:
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    async def ask() -> None:
        await call(httpx.MockTransport(serve))

    with pytest.raises(ApiError) as raised:
        asyncio.run(ask())
    return raised.value


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_of_nobody_is_an_outage(side: str, answer: str) -> None:
    """An answer of any intermediary is a 503 with Retry-After, and a failure for the circuit."""
    call, breaker = SIDES[side]
    error = told(call, ANSWERS[answer])
    assert error.kind.code == "SERVICE_UNAVAILABLE"
    assert int(error.headers["Retry-After"]) >= 1
    assert breaker.snapshot().failures >= 1


@pytest.mark.parametrize("code", CODES)
def test_a_database_that_is_not_well_is_known_by_its_code(code: str) -> None:
    """Read-only, missing, disconnecting or outdated databases are either transient or need an operator."""
    error = told(call_database, httpx.Response(400, json={"code": code, "message": "no", "details": None}))
    assert (error.kind.code, "Retry-After" in error.headers) == ("SERVICE_UNAVAILABLE", True)
    assert database_breaker.snapshot().failures >= 1


@pytest.mark.parametrize("side", SIDES)
def test_an_outage_of_many_callers_opens_the_circuit(side: str) -> None:
    """HTML pages in place of answers open the circuit after a few calls, and the next calls do not wait."""
    call, breaker = SIDES[side]
    for _ in range(25):
        told(call, httpx.Response(540, html=PAGE))
    assert breaker.get_state() == "open"


@pytest.mark.parametrize(
    ("keys", "good", "asked"),
    [
        ("sb_secret_new,sb_secret_old", "sb_secret_old", ["sb_secret_new", "sb_secret_old"]),
        ("sb_secret_new, sb_secret_old", "sb_secret_new", ["sb_secret_new"]),
        ("sb_secret_gone", "sb_secret_other", ["sb_secret_gone"]),
    ],
)
@pytest.mark.parametrize("side", SIDES)
def test_of_several_keys_one_that_is_refused_gives_way(side: str, keys: str, good: str, asked: list[str]) -> None:
    """While a key is rotated calls continue with the other; without a valid key the service is unavailable."""
    seen: list[str] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["apikey"])
        assert "authorization" not in request.headers
        if request.headers["apikey"] != good:
            return httpx.Response(401, json={"message": "Invalid API key"})
        return httpx.Response(400, json={"code": "SS001", "error_code": "invalid_credentials", "message": "no"})

    settings = Settings(supabase_url="https://x.supabase.co", supabase_secret_key=keys)

    async def ask() -> None:
        if side == "database":
            await Database(settings, httpx.MockTransport(serve)).call("get_profile")
        else:
            async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
                await SupabaseAuth(settings, client).sign_in("ada@example.com", "analytical1")

    with pytest.raises(ApiError) as raised:
        asyncio.run(ask())
    assert seen[: len(asked)] == asked
    refused = {"database": "NOT_FOUND", "auth": "AUTHENTICATION_ERROR"}[side]
    assert raised.value.kind.code == (refused if good in keys else "SERVICE_UNAVAILABLE")


def test_an_older_project_s_key_goes_into_both_headers() -> None:
    """A legacy JWT key is also the bearer token; a secret key is sent alone, or with a user's token for the user."""
    sent: list[httpx.Headers] = []

    def serve(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers)
        return httpx.Response(200, json=1) if "rpc" in request.url.path else httpx.Response(204)

    async def ask(settings: Settings) -> None:
        await Database(settings, httpx.MockTransport(serve)).call("ping")
        async with httpx.AsyncClient(transport=httpx.MockTransport(serve)) as client:
            await SupabaseAuth(settings, client).sign_out("a.user.token")

    asyncio.run(ask(Settings(supabase_url="https://x.supabase.co", supabase_service_role_key="eyJhbGci.e30.s")))
    asyncio.run(ask(SETTINGS))
    keys = [(headers["apikey"], headers.get("authorization")) for headers in sent]
    assert keys == [
        ("eyJhbGci.e30.s", "Bearer eyJhbGci.e30.s"),
        ("eyJhbGci.e30.s", "Bearer a.user.token"),
        ("sb_secret_key", None),
        ("sb_secret_key", "Bearer a.user.token"),
    ]
