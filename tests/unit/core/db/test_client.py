"""How the database's answers are interpreted, including ones that only an intermediary sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from resilience import deadline
from studysync.context import begin_request
from studysync.db.client import Database, breaker
from studysync.errors import ApiError
from tests.unit.core.answers import SETTINGS, Answers, refused

pytestmark = pytest.mark.usefixtures("unharmed")

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.mark.parametrize(
    ("answer", "code", "asked"),
    [
        (httpx.Response(200, html="<p>Maintenance</p>"), "SERVICE_UNAVAILABLE", 3),
        (httpx.Response(502, html="<p>Bad gateway</p>"), "SERVICE_UNAVAILABLE", 3),
        (httpx.Response(500, json={"code": None, "message": "server closed"}), "SERVICE_UNAVAILABLE", 3),
        (httpx.Response(500, json={"code": "40001", "message": "serialize"}), "SERVICE_UNAVAILABLE", 3),
        (httpx.ConnectError("refused"), "SERVICE_UNAVAILABLE", 3),
        (httpx.ReadTimeout("slow"), "SERVICE_UNAVAILABLE", 1),
        (httpx.Response(500, json={"code": "57014", "message": "cancelled"}), "SERVICE_UNAVAILABLE", 1),
        (httpx.Response(504, json={"code": "PGRST003", "message": "no connection"}), "SERVICE_UNAVAILABLE", 1),
        (httpx.Response(504, html="<p>Gateway timeout</p>"), "SERVICE_UNAVAILABLE", 1),
        (httpx.Response(404, json={"code": "PGRST202", "message": "no such function"}), "SERVICE_UNAVAILABLE", 3),
        (httpx.Response(400, json={"code": "SS001", "message": "No such session."}), "NOT_FOUND", 1),
    ],
)
def test_what_passes_is_asked_for_again_and_nothing_else(
    answer: httpx.Response | Exception, code: str, asked: int
) -> None:
    """A malformed answer or one of an intermediary is an outage; a slow request is not retried."""
    server = Answers(answer)
    database = Database(SETTINGS, httpx.MockTransport(server))
    assert refused(database.call("get_profile")).kind.code == code
    assert len(server.asked) == asked


SLOW: list[httpx.Response | Exception] = [
    httpx.ReadTimeout("slow"),
    httpx.WriteTimeout("slow"),
    httpx.PoolTimeout("busy"),
    httpx.Response(500, json={"code": "57014", "message": "cancelled"}),
    httpx.Response(504, json={"code": "PGRST003", "message": "no connection"}),
    httpx.Response(504, html="<p>Gateway timeout</p>"),
]
DEAD: list[httpx.Response | Exception] = [
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("nobody there"),
    httpx.Response(503, json={"code": "PGRST002", "message": "no schema cache"}),
    httpx.Response(500, json={"code": "08006", "message": "connection failure"}),
]


def state_after(answer: httpx.Response | Exception, callers: list[str | None], address: str = "192.0.2.1") -> str:
    """The circuit's state after calls on behalf of these users (None: of an address only) ended this way."""
    database = Database(SETTINGS, httpx.MockTransport(Answers(answer)))

    async def call(user_id: str | None) -> None:
        scope = {"type": "http", "method": "GET", "path": "/", "client": (address, 1)}
        begin_request(scope, None).user_id = user_id
        with pytest.raises(ApiError):
            await database.call("get_profile")

    for caller in callers:
        asyncio.run(call(caller))
    return str(breaker.get_state())


@pytest.mark.parametrize("answer", SLOW, ids=repr)
def test_what_takes_one_caller_too_long_opens_no_circuit(answer: httpx.Response | Exception) -> None:
    """Timeouts of one user or address do not open the circuit; those of three users do."""
    assert state_after(answer, ["mallory"] * 30) == "closed"
    assert state_after(answer, [None] * 30) == "closed"
    assert state_after(answer, ["alice"] * 5) == "open"


@pytest.mark.parametrize("answer", DEAD, ids=repr)
def test_a_dead_database_opens_the_circuit_for_a_single_caller(answer: httpx.Response | Exception) -> None:
    """Only the database can be the cause, so one caller's failures open the circuit."""
    assert state_after(answer, ["alice"] * 5) == "open"


def test_addresses_of_one_network_are_one_caller() -> None:
    """All addresses of an IPv6 /64 count as one caller."""
    for n in range(10):
        assert state_after(SLOW[0], [None], f"2001:db8::{n:x}") == "closed"
    assert state_after(SLOW[0], [None], "2001:db8:0:1::1") == "closed"
    assert state_after(SLOW[0], [None], "testclient") == "open"


def test_a_call_without_time_left_is_not_made() -> None:
    """The client has gone by then, so it is no failure of the database."""
    server = Answers(httpx.Response(200, json=1))

    async def late() -> Any:
        with deadline(0.0):
            return await Database(SETTINGS, httpx.MockTransport(server)).call("ping")

    before = breaker.snapshot().total_failures
    assert refused(late()).kind.code == "SERVICE_UNAVAILABLE"
    assert server.asked == []
    assert breaker.snapshot().total_failures == before


def test_an_answer_after_an_outage_counts() -> None:
    """The second attempt's answer counts; an empty body is a valid answer."""
    server = Answers(httpx.ConnectError("refused"), httpx.Response(200, json={"xp": 1}), httpx.Response(204))
    database = Database(SETTINGS, httpx.MockTransport(server))
    assert asyncio.run(database.call("get_profile")) == {"xp": 1}
    assert asyncio.run(database.call("touch")) is None


@pytest.mark.parametrize("seconds", [0.5, 12.0])
def test_the_setting_is_how_long_a_call_may_take(seconds: float) -> None:
    """The setting also applies to the HTTP pool, whose own timeout would end the call early and cause a retry."""
    server = Answers(httpx.Response(200, json=1))
    settings = SETTINGS.model_copy(update={"database_timeout_seconds": seconds})
    asyncio.run(Database(settings, httpx.MockTransport(server)).call("ping"))
    assert server.asked[0].extensions["timeout"]["read"] == seconds
