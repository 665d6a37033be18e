"""Registration creates one account and one profile, or neither."""

from __future__ import annotations

import uuid
from typing import Any

import httpx
import psycopg
import pytest

from studysync.errors import VALIDATION_ERROR, ApiError
from testing.client import AllFunctions, Api, Student, assert_problem


def credentials(**changes: Any) -> dict[str, Any]:
    name = f"r_{uuid.uuid4().hex[:16]}"
    return {"username": name, "email": f"{name}@example.test", "password": "analytical1", **changes}


def test_registration_makes_account_and_profile(api: Api) -> None:
    """A registration answers with tokens that can read the new profile: no XP, level 1."""
    body = credentials()
    response = api.post("/api/auth/register", body)
    assert response.status_code == 201
    data = response.json()["data"]
    profile = api.get("/api/users/me", token=data["token"]).json()["data"]
    assert profile["username"] == body["username"] == data["username"]
    assert profile["email"] == body["email"]
    assert (profile["xp"], profile["level"], profile["current_streak"]) == (0, 1, 0)


@pytest.mark.parametrize("taken", ["email", "username"])
def test_name_and_address_are_unique_without_regard_to_case(api: Api, taken: str) -> None:
    """A second account with the same name or address is refused with the message that clients look for."""
    first = credentials()
    assert api.post("/api/auth/register", first).status_code == 201
    response = api.post("/api/auth/register", credentials(**{taken: first[taken].upper()}))
    assert "already exists" in assert_problem(response, 409, "USER_ALREADY_EXISTS")["message"]


def test_a_refused_name_leaves_no_account(api: Api, student: Student) -> None:
    """An address whose registration failed because of its name can be registered with another name."""
    body = credentials(username=student.username)
    assert_problem(api.post("/api/auth/register", body), 409, "USER_ALREADY_EXISTS")
    assert api.post("/api/auth/register", credentials(email=body["email"])).status_code == 201


def test_one_of_20_simultaneous_registrations_wins(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Of 20 simultaneous registrations of one address one succeeds and nineteen are conflicts."""
    body = credentials()
    responses = api.at_once([api.send("POST", "/api/auth/register", json=body) for _ in range(20)])
    assert sorted(r.status_code for r in responses) == [201] + [409] * 19
    count = """select (select count(*) from auth.users where email = %(email)s),
                      (select count(*) from profiles where username = %(username)s)"""
    assert sql.execute(count, body).fetchone() == (1, 1)


def test_registration_may_be_repeated_with_its_key(api: Api) -> None:
    """The same Idempotency-Key returns the same account; with a different body for that address it is refused."""
    body, headers = credentials(), {"Idempotency-Key": str(uuid.uuid4())}
    first = api.post("/api/auth/register", body, headers=headers)
    again = api.post("/api/auth/register", body, headers=headers)
    assert first.status_code == again.status_code == 201
    assert first.json()["data"]["user_id"] == again.json()["data"]["user_id"]
    other = api.post("/api/auth/register", {**body, "username": body["username"] + "x"}, headers=headers)
    assert_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")
    thief = api.post("/api/auth/register", {**body, "password": "analytical2"}, headers=headers)
    assert_problem(thief, 422, "IDEMPOTENCY_KEY_REUSED")


def test_registration_keys_of_different_clients_do_not_meet(api: Api) -> None:
    """Two clients at different addresses with the same key get an account each, and each can repeat from anywhere."""
    headers, bodies = {"Idempotency-Key": str(uuid.uuid4())}, [credentials(), credentials()]

    def register(body: dict[str, str], address: str) -> httpx.Response:
        transport = httpx.ASGITransport(AllFunctions(), client=(address, 5))
        client = httpx.AsyncClient(transport=transport, base_url="http://api.test")
        return api.run(client.post("/api/auth/register", json=body, headers=headers))

    places = ("192.0.2.1", "192.0.2.2")
    answers = [register(body, place) for body, place in zip(bodies * 2, [*places, *places[::-1]], strict=True)]
    assert [answer.status_code for answer in answers] == [201] * 4
    ids = [answer.json()["data"]["user_id"] for answer in answers]
    assert ids[:2] == ids[2:]
    assert ids[0] != ids[1]


def test_a_password_that_supabase_auth_finds_weak_is_no_outage(api: Api, student: Student) -> None:
    """A password that is too weak for the project's own rules is a 400, and sign-in stays available to others."""
    from users.auth import supabase_auth
    from users.auth_client import breaker

    for _ in range(6):
        with pytest.raises(ApiError) as refused:
            api.run(supabase_auth().change_password(student.token, "short"))
        assert refused.value.kind is VALIDATION_ERROR
    assert breaker.get_state() == "closed"
    assert api.post("/api/auth/register", {**credentials(), "password": "密码密码密码12"}).status_code == 201


def test_a_registration_key_is_for_one_registration(api: Api, sql: psycopg.Connection[Any]) -> None:
    """The same key with a different email address is refused and creates no account."""
    first, second, headers = credentials(), credentials(), {"Idempotency-Key": str(uuid.uuid4())}
    assert api.post("/api/auth/register", first, headers=headers).status_code == 201
    assert_problem(api.post("/api/auth/register", second, headers=headers), 422, "IDEMPOTENCY_KEY_REUSED")
    assert sql.execute("select count(*) from auth.users where email = %s", [second["email"]]).fetchone() == (0,)
    assert api.post("/api/auth/register", second).status_code == 201


def test_interrupted_registration_can_be_repeated(api: Api, sql: psycopg.Connection[Any]) -> None:
    """An account that never got its token is completed by registering again, by its owner only."""
    body = credentials()
    registered = api.post("/api/auth/register", body).json()["data"]
    sql.execute(
        "update auth.users set last_sign_in_at = null, created_at = created_at - interval '1 minute' where id = %s",
        [registered["user_id"]],
    )
    stranger = api.post("/api/auth/register", {**body, "password": "analytical2"})
    assert_problem(stranger, 409, "USER_ALREADY_EXISTS")
    taken = api.post("/api/auth/register", {**body, "username": api.student().username.upper()})
    assert_problem(taken, 409, "USER_ALREADY_EXISTS")
    assert "username" in taken.json()["detail"]
    again = api.post("/api/auth/register", {**body, "username": body["username"] + "x"})
    assert again.status_code == 201
    data = again.json()["data"]
    assert data["user_id"] == registered["user_id"]
    assert api.get("/api/users/me", token=data["token"]).json()["data"]["username"] == body["username"] + "x"


def test_account_without_profile_is_completed(api: Api, sql: psycopg.Connection[Any]) -> None:
    """An account that predates the profile trigger gets its profile when its owner registers."""
    body = credentials()
    registered = api.post("/api/auth/register", body).json()["data"]
    sql.execute("delete from profiles where user_id = %s", [registered["user_id"]])
    sql.execute(
        "update auth.users set last_sign_in_at = null, created_at = created_at - interval '1 day' where id = %s",
        [registered["user_id"]],
    )
    again = api.post("/api/auth/register", body)
    assert again.status_code == 201
    assert api.get("/api/users/me", token=again.json()["data"]["token"]).status_code == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "ab"),
        ("username", "a" * 31),
        ("username", "a" * 10_000),
        ("username", "white space"),
        ("username", "schön_1"),
        ("username", "😀😀😀"),
        ("username", "مرحبا"),
        ("username", "nul\0name"),
        ("username", "line\nbreak"),
        ("username", 12345),
        ("username", None),
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", "a b@example.com"),
        ("email", "a@exam\0ple.com"),
        ("email", "a" * 250 + "@example.com"),
        ("email", ["a@example.com"]),
        ("password", "short1"),
        ("password", "onlyletters"),
        ("password", "1234567890"),
        ("password", "nul\0analytical1"),
        ("password", "a1" * 40),
        ("password", {"a": 1}),
    ],
)
def test_bad_registrations_store_nothing(api: Api, sql: psycopg.Connection[Any], field: str, value: Any) -> None:
    """Each bad field is named, its value is not repeated, and no account is created."""
    body = credentials(**{field: value})
    before = sql.execute("select count(*) from auth.users").fetchone()
    problem = assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")
    assert [error["location"] for error in problem["details"]["validation_errors"]] == [f"body.{field}"]
    assert sql.execute("select count(*) from auth.users").fetchone() == before


@pytest.mark.parametrize("field", ["username", "email", "password"])
def test_missing_fields_are_named(api: Api, field: str) -> None:
    """A registration with a missing field is refused and names the field."""
    body = credentials()
    del body[field]
    problem = assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == f"body.{field}"


def test_unknown_fields_are_refused(api: Api) -> None:
    """An unknown field is an error, not a silent mass assignment."""
    problem = assert_problem(api.post("/api/auth/register", credentials(xp=100)), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == "body.xp"
