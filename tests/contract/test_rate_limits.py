"""Limits per user and per address, over the real middleware and the real table."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import httpx
import pytest

from studysync.app import create_app
from studysync.settings import get_settings
from tests.support.client import Api, Student, assert_problem


@pytest.fixture
def limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.AsyncClient]:
    """The health and users routes with a limit of 5 a minute, and an address of the test's own."""
    import users.app  # built with everybody's limits, not with this test's
    from health.routes import router as health
    from users.routes import router as users

    monkeypatch.setenv("RATE_LIMIT_PER_MINUTE", "5")
    get_settings.cache_clear()
    app = create_app("Limited", [health, users])
    transport = httpx.ASGITransport(app, client=(f"test-{uuid.uuid4()}", 1))
    yield httpx.AsyncClient(transport=transport, base_url="http://api.test")
    monkeypatch.undo()
    get_settings.cache_clear()


def ask(api: Api, client: httpx.AsyncClient, token: str | None = None, **headers: str) -> httpx.Response:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return api.run(client.get("/api/users/me", headers=headers))


def test_a_user_is_limited_and_told(api: Api, limited: httpx.AsyncClient, student: Student) -> None:
    """Answers tell what is left; over the limit it is a 429 that says when to come back."""
    answers = [ask(api, limited, student.token) for _ in range(8)]
    assert [a.status_code for a in answers].count(200) in (5, 6)  # one on credit
    assert answers[0].headers["ratelimit-policy"] == '"minute";q=5;w=60, "hour";q=10000000;w=3600'
    assert answers[0].headers["ratelimit"].startswith('"minute";r=')
    refused = answers[-1]
    assert_problem(refused, 429, "RATE_LIMIT_EXCEEDED")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert ask(api, limited, api.student().token).status_code == 200


def test_strangers_are_limited_by_address(api: Api, limited: httpx.AsyncClient) -> None:
    """Calls without a token, or with a made-up one, count for the address, whatever X-Forwarded-For says."""
    answers = [
        ask(api, limited, f"forged.{n}.token" if n % 2 else None, **{"X-Forwarded-For": f"10.0.0.{n}"})
        for n in range(8)
    ]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429


def test_health_is_not_limited(api: Api, limited: httpx.AsyncClient) -> None:
    """Load balancers may ask as often as they like."""
    assert {api.run(limited.get("/health/liveness")).status_code for _ in range(20)} == {200}


def test_invite_codes_are_not_tried_without_end(student: Student) -> None:
    """Guessing codes ends in a 429, for the guesser alone."""
    answers = [student.post("/api/spaces/join", {"invite_code": f"{n:014}"}) for n in range(25)]
    assert_problem(answers[0], 404, "NOT_FOUND")
    assert_problem(answers[-1], 429, "RATE_LIMIT_EXCEEDED")
    assert ";r=0;" in answers[-1].headers["ratelimit"]  # of the limit that refused, not of all calls
