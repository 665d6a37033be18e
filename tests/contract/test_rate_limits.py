"""Limits per user and per address, over the real middleware and the real table."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from local.backends import Backends
from studysync.settings import get_settings
from studysync.web.app import create_app
from testing.client import Api, Student, assert_problem
from users.auth_client import breaker

pytestmark = pytest.mark.own_servers


@pytest.fixture
def limited(api: Api, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.AsyncClient]:
    """The health and users routes with a limit of 5 a minute, and an address of the test's own."""
    import users.app  # built with the default limits, not with this test's
    from health.routes import router as health
    from users.routes import router as users

    monkeypatch.setenv("RATE_LIMIT_PER_MINUTE", "5")
    get_settings.cache_clear()
    app = create_app("Limited", [health, users])
    transport = httpx.ASGITransport(app, client=(f"test-{uuid.uuid4()}", 1))
    yield httpx.AsyncClient(transport=transport, base_url="http://api.test")
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Sets limits that are read on each call and restores them afterwards."""
    yield monkeypatch
    monkeypatch.undo()
    get_settings.cache_clear()


@contextmanager
def calls_from(api: Api, *addresses: str, app: Any = None) -> Iterator[list[httpx.AsyncClient]]:
    """Clients whose connections come from these addresses; `app`: all functions, as the API has them."""
    from users.app import app as users

    transports = (httpx.ASGITransport(app or users, client=(address, 1)) for address in addresses)
    clients = [httpx.AsyncClient(transport=transport, base_url="http://api.test") for transport in transports]
    yield clients
    for client in clients:
        api.run(client.aclose())


def ipv4() -> str:
    """An address that no other test uses."""
    return f"198.18.{random.randrange(256)}.{random.randrange(1, 255)}"


def ipv6_prefix() -> str:
    """A /64 prefix that no other test uses, without its trailing colons."""
    return f"2001:db8:{random.randrange(1, 2**16):x}:{random.randrange(1, 2**16):x}"


def ask(api: Api, client: httpx.AsyncClient, token: str | None = None, **headers: str) -> httpx.Response:
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return api.run(client.get("/api/users/me", headers=headers))


def test_a_user_is_limited_and_told(api: Api, limited: httpx.AsyncClient, student: Student) -> None:
    """Answers report the remaining calls; over the limit the answer is a 429 that says when to try again."""
    answers = [ask(api, limited, student.token) for _ in range(8)]
    assert [a.status_code for a in answers].count(200) in (5, 6)  # one on credit
    assert answers[0].headers["ratelimit-policy"] == '"minute";q=5;w=60, "hour";q=10000000;w=3600'
    assert answers[0].headers["ratelimit"].startswith('"minute";r=')
    refused = answers[-1]
    assert_problem(refused, 429, "RATE_LIMIT_EXCEEDED")
    # At most until a fifth of the next minute, when the sliding window has room for one of five again.
    assert 1 <= int(refused.headers["retry-after"]) <= 60 + 60 / 5
    assert ask(api, limited, api.student().token).status_code == 200


def test_strangers_are_limited_by_address(api: Api, limited: httpx.AsyncClient) -> None:
    """Calls without a token, or with a made-up one, count for the address, whatever X-Forwarded-For contains."""
    answers = [
        ask(api, limited, f"forged.{n}.token" if n % 2 else None, **{"X-Forwarded-For": f"10.0.0.{n}"})
        for n in range(8)
    ]
    assert answers[0].status_code == 401
    assert answers[-1].status_code == 429


def test_health_is_not_limited(api: Api, limited: httpx.AsyncClient) -> None:
    """Load balancers may call health as often as they like."""
    assert {api.run(limited.get("/health/liveness")).status_code for _ in range(20)} == {200}


def test_all_who_share_an_address_share_a_wider_limit(api: Api, settings: pytest.MonkeyPatch) -> None:
    """All accounts at one address share a wider limit; calls from another address go on, even of the same accounts."""
    import users.app  # noqa: F401 - built with everybody's limits, not with this test's
    from users.routes import router

    settings.setenv("RATE_LIMIT_PER_MINUTE", "10")
    settings.setenv("RATE_LIMIT_ADDRESS_FACTOR", "3")
    get_settings.cache_clear()
    students = [api.student() for _ in range(8)]
    with calls_from(api, ipv4(), ipv4(), app=create_app("Limited", [router])) as (school, home):
        answers = [ask(api, school, student.token) for _ in range(5) for student in students]
        passed = [answer.status_code for answer in answers].count(200)
        assert 30 <= passed <= 31  # one on credit
        refused = answers[-1]
        assert_problem(refused, 429, "RATE_LIMIT_EXCEEDED")
        assert refused.headers["ratelimit"].startswith('"address-minute";r=0;')
        assert 1 <= int(refused.headers["retry-after"]) <= 60 + 60 / 5
        assert ask(api, home, students[0].token).status_code == 200


def test_who_is_over_their_own_limit_uses_up_nobody_elses(api: Api, settings: pytest.MonkeyPatch) -> None:
    """Refused calls do not count for the address, so one student cannot block a whole school."""
    import users.app  # noqa: F401
    from users.routes import router

    settings.setenv("RATE_LIMIT_PER_MINUTE", "10")
    settings.setenv("RATE_LIMIT_ADDRESS_FACTOR", "2")
    get_settings.cache_clear()
    loud, quiet = api.student(), api.student()
    with calls_from(api, ipv4(), app=create_app("Limited", [router])) as (school,):
        answers = [ask(api, school, loud.token) for _ in range(60)]
        assert answers[-1].headers["ratelimit"].startswith('"minute";r=0;')
        assert {ask(api, school, quiet.token).status_code for _ in range(8)} == {200}


def register(api: Api, client: httpx.AsyncClient, **changed: str) -> httpx.Response:
    name = f"r_{uuid.uuid4().hex[:20]}"
    body = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1", **changed}
    return api.run(client.post("/api/auth/register", json=body, headers={"X-Forwarded-For": f"10.1.1.{len(name)}"}))


def test_registrations_are_limited_by_address(api: Api, settings: pytest.MonkeyPatch) -> None:
    """Registrations are limited by address, even those that only probe for accounts; IPv6 counts by /64."""
    taken = api.student().email
    settings.setenv("REGISTRATIONS_PER_HOUR", "4")
    get_settings.cache_clear()
    prefix = ipv6_prefix()
    with calls_from(api, f"{prefix}::1", f"{prefix}:1:2:3:4", f"{ipv6_prefix()}::1") as (first, second, elsewhere):
        answers = [register(api, second if n % 2 else first, **({"email": taken} if n < 2 else {})) for n in range(7)]
        statuses = [answer.status_code for answer in answers]
        assert statuses[:4] == [409, 409, 201, 201]
        assert statuses[-1] == 429
        assert_problem(answers[-1], 429, "RATE_LIMIT_EXCEEDED")
        assert int(answers[-1].headers["retry-after"]) >= 1
        assert register(api, elsewhere).status_code == 201


def test_registrations_that_failed_for_us_do_not_count(
    api: Api, backends: Backends, settings: pytest.MonkeyPatch
) -> None:
    """Registrations that failed through our fault do not count, so a class can try again after an outage."""
    settings.setenv("REGISTRATIONS_PER_HOUR", "2")
    get_settings.cache_clear()
    with calls_from(api, ipv4()) as (school,):
        backends.project.auth.kill()
        try:
            assert {register(api, school).status_code for _ in range(4)} == {503}
        finally:
            backends.project.auth.restart()
            breaker.reset()
        assert register(api, school).status_code == 201


def test_wrong_passwords_are_limited_by_address(api: Api, settings: pytest.MonkeyPatch) -> None:
    """One password tried on many accounts is limited; right passwords do not count, so a class can sign in together."""
    students = [api.student() for _ in range(12)]
    settings.setenv("FAILED_SIGN_INS_PER_MINUTE", "6")
    get_settings.cache_clear()
    address = ipv4()
    with calls_from(api, address, f"::ffff:{address}", ipv4()) as (school, mapped, home):

        def sign_in(client: httpx.AsyncClient, student: Student, password: str) -> int:
            body = {"email": student.email, "password": password}
            return api.run(client.post("/api/auth/login", json=body)).status_code

        assert {sign_in(school, student, student.password) for student in students} == {200}
        guesses = [sign_in(mapped if n % 2 else school, each, "wrong password 1") for n, each in enumerate(students)]
        assert 6 <= guesses.count(401) <= 7
        assert guesses[-1] == 429
        assert sign_in(school, students[0], students[0].password) == 429
        assert sign_in(home, students[0], students[0].password) == 200


def test_wrong_invite_codes_are_limited_by_address(api: Api, settings: pytest.MonkeyPatch) -> None:
    """Several accounts at one address share one limit for wrong codes; right codes do not count."""
    from spaces.app import app as spaces

    settings.setenv("FAILED_CODES_PER_MINUTE", "8")
    get_settings.cache_clear()
    owner, guessers = api.student(), [api.student() for _ in range(4)]
    space = owner.post("/api/spaces/create", {"name": "S", "visibility": "private"}).json()["data"]

    with calls_from(api, ipv4(), ipv4(), app=spaces) as (school, home):

        def join(client: httpx.AsyncClient, student: Student, code: str) -> int:
            headers = {"Authorization": f"Bearer {student.token}"}
            return api.run(client.post("/api/spaces/join", json={"invite_code": code}, headers=headers)).status_code

        assert {join(school, each, space["invite_code"]) for each in guessers * 3} == {200}
        guesses = [join(school, guessers[n % 4], f"{n:014}") for n in range(20)]
        assert 8 <= guesses.count(404) <= 9
        assert guesses[-1] == 429
        assert join(school, api.student(), space["invite_code"]) == 429
        assert join(home, guessers[0], space["invite_code"]) == 200


def test_invite_codes_are_not_tried_without_end(student: Student) -> None:
    """Guessing invite codes ends in a 429, for the guesser only."""
    answers = [student.post("/api/spaces/join", {"invite_code": f"{n:014}"}) for n in range(25)]
    assert_problem(answers[0], 404, "NOT_FOUND")
    assert_problem(answers[-1], 429, "RATE_LIMIT_EXCEEDED")
    assert ";r=0;" in answers[-1].headers["ratelimit"]  # the remaining calls of the limit that refused
