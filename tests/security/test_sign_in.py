"""Guessing passwords, and finding out through the sign-in who has an account."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from local.auth import passwords
from resilience import performance_monitor
from resilience.testing import ManualClock
from testing.client import Api, Student, assert_problem, openapi
from users import throttles

WRONG = "wrong password 1"


@pytest.fixture(autouse=True)
def one_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts are counted within a minute that does not end during a test."""
    for limiter in (throttles.from_one_address, throttles.from_everywhere):
        monkeypatch.setattr(limiter, "_clock", ManualClock(time.time()))


@contextmanager
def address(api: Api, name: str) -> Iterator[httpx.AsyncClient]:
    """A client whose connection comes from `name`."""
    from users.app import app

    client = httpx.AsyncClient(transport=httpx.ASGITransport(app, client=(name, 1)), base_url="http://api.test")
    yield client
    api.run(client.aclose())


def sign_in(api: Api, client: httpx.AsyncClient, email: str, password: str, **headers: str) -> httpx.Response:
    return api.run(client.post("/api/auth/login", json={"email": email, "password": password}, headers=headers))


def test_passwords_are_not_tried_without_end(api: Api, student: Student) -> None:
    """An address is blocked after some thirty attempts a minute; the owner at another address is unaffected."""
    with address(api, f"guesser-{uuid.uuid4()}") as guesser, address(api, f"owner-{uuid.uuid4()}") as owner:
        answers = [
            sign_in(api, guesser, student.email, f"{WRONG}{n}", **{"X-Forwarded-For": f"10.0.0.{n}"}) for n in range(35)
        ]
        assert_problem(answers[0], 401, "AUTHENTICATION_ERROR")
        assert 28 <= [answer.status_code for answer in answers].count(401) <= 33
        assert_problem(answers[-1], 429, "RATE_LIMIT_EXCEEDED")
        assert int(answers[-1].headers["retry-after"]) >= 1
        # The right password does not work either, and is answered like a wrong one.
        assert_problem(sign_in(api, guesser, student.email, student.password), 429, "RATE_LIMIT_EXCEEDED")
        assert sign_in(api, owner, student.email, student.password).status_code == 200


def test_a_crowd_does_not_get_further(api: Api, student: Student) -> None:
    """Attempts from many addresses are counted together per account, in any case of the account's address."""
    refused = 0
    for n in range(70):
        with address(api, f"crowd-{n}-{uuid.uuid4()}") as client:
            email = student.email.upper() if n % 2 else student.email
            refused += sign_in(api, client, email, WRONG).status_code == 429
    assert 7 <= refused <= 12


def test_an_account_that_nobody_has_is_limited_alike(api: Api) -> None:
    """The limit does not reveal who has an account."""
    with address(api, f"guesser-{uuid.uuid4()}") as guesser:
        nobody = f"nobody_{uuid.uuid4().hex}@example.test"
        statuses = [sign_in(api, guesser, nobody, WRONG).status_code for _ in range(35)]
    assert statuses[0] == 401
    assert statuses[-1] == 429


def test_signing_in_often_is_no_guessing(api: Api, student: Student) -> None:
    """Right passwords do not count, sequential or concurrent."""
    body = {"email": student.email, "password": student.password}
    with address(api, f"owner-{uuid.uuid4()}") as owner:
        assert {sign_in(api, owner, student.email, student.password).status_code for _ in range(80)} == {200}

        async def at_once() -> list[httpx.Response]:
            return await asyncio.gather(*(owner.post("/api/auth/login", json=body) for _ in range(25)))

        assert {answer.status_code for answer in api.run(at_once())} == {200}


def test_registering_again_is_no_way_around_the_limit(api: Api, student: Student) -> None:
    """Registering again does not allow unlimited password attempts either."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    body = {
        "username": f"v_{uuid.uuid4().hex[:12]}",
        "email": f"{uuid.uuid4().hex}@example.test",
        "password": "right1234",
    }
    with address(api, f"guesser-{uuid.uuid4()}") as guesser:
        assert api.run(guesser.post("/api/auth/register", json=body, headers=headers)).status_code == 201
        tries = [{**body, "password": f"guess{n}xyz"} for n in range(35)]
        answers = [api.run(guesser.post("/api/auth/register", json=each, headers=headers)) for each in tries]
    assert_problem(answers[0], 422, "IDEMPOTENCY_KEY_REUSED")
    assert_problem(answers[-1], 429, "RATE_LIMIT_EXCEEDED")


def _calls(api: Api, email: str) -> dict[str, int]:
    """Sign in with a wrong password; returns the number of calls to each dependency."""

    def counted() -> dict[str, int]:
        found = {name: figures.count for name, figures in performance_monitor.get_metrics().items()}
        return {name: count for name, count in found.items() if name.startswith(("auth ", "database "))}

    before = counted()
    assert_problem(api.post("/api/auth/login", {"email": email, "password": WRONG}), 401, "AUTHENTICATION_ERROR")
    return {name: count - before.get(name, 0) for name, count in counted().items() if count != before.get(name, 0)}


def test_an_unknown_address_costs_what_a_known_one_costs(api: Api, student: Student) -> None:
    """Known and unknown addresses cause the same calls, so response times do not differ."""
    known, unknown = _calls(api, student.email), _calls(api, f"nobody_{uuid.uuid4().hex}@example.test")
    assert known == unknown == {"auth sign_in": 1, "database record_failed_sign_in": 1}


def test_the_stand_in_hashes_for_nobody_too(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an account the stand-in still computes one hash with the same parameters."""
    costs: list[dict[str, Any]] = []
    real = hashlib.scrypt

    def counting(password: bytes, **parameters: Any) -> bytes:
        costs.append({name: value for name, value in parameters.items() if name != "salt"})
        return real(password, **parameters)

    kept = api.run(passwords.hash_password("right1234"))
    monkeypatch.setattr(hashlib, "scrypt", counting)
    assert api.run(passwords.matches("right1234", kept)) is True
    assert api.run(passwords.matches("right1234", None)) is False
    assert len(costs) == 2
    assert costs[0] == costs[1]


def test_no_other_path_tells_who_has_an_account() -> None:
    """Registration has to reveal that an address is taken (a 409 of the contract).

    The sign-in and what sends mails tell nothing: tests/security/test_account_enumeration.py.
    """
    takes_email = [
        path
        for path, methods in openapi()["paths"].items()
        for operation in methods.values()
        if "'email': " in str(_body_schema(operation))
    ]
    mails = ["/api/auth/password/forgot", "/api/auth/email/change", "/api/auth/email/resend"]
    assert takes_email == ["/api/auth/register", "/api/auth/login", *mails]


def _body_schema(operation: dict[str, Any]) -> Any:
    schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    name = schema.get("$ref", "").rpartition("/")[2]
    return openapi()["components"]["schemas"].get(name, {}).get("properties", {})


@pytest.mark.parametrize(
    "name",
    ["\u0430dmin_1", "\uff41\uff44\uff4d\uff49\uff4e", "ad\u200bmin", "admin\u0301", "\u017ftudent", "K\u212aelvin"],
)
def test_names_that_only_look_alike_are_refused(api: Api, name: str) -> None:
    """Letters of other alphabets, wide and invisible letters, and those that lower-case to others are refused."""
    body = {"username": name, "email": f"{uuid.uuid4().hex}@example.test", "password": "analytical1"}
    assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")


def test_addresses_that_only_look_alike_are_refused(api: Api, student: Student) -> None:
    """An address is ASCII, so no second account can have a look-alike address."""
    for email in (student.email.replace("e", "\u0435"), student.email.replace("@", "\uff20"), f"\u212a{student.email}"):
        body = {"username": f"u_{uuid.uuid4().hex[:12]}", "email": email, "password": "analytical1"}
        assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")
