"""Accounts and profiles as clients see them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import httpx
import psycopg
import pytest

from studysync.errors import AUTHENTICATION_ERROR, VALIDATION_ERROR, ApiError
from testing.client import AllFunctions, Api, Student, assert_problem


def credentials(**changes: Any) -> dict[str, Any]:
    name = f"r_{uuid.uuid4().hex[:16]}"
    return {"username": name, "email": f"{name}@example.test", "password": "analytical1", **changes}


def test_registration_makes_account_and_profile(api: Api) -> None:
    """A registration answers with tokens that read the new profile: no XP, level 1."""
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
    """A second account with the same name or address is refused in the words that clients look for."""
    first = credentials()
    assert api.post("/api/auth/register", first).status_code == 201
    response = api.post("/api/auth/register", credentials(**{taken: first[taken].upper()}))
    assert "already exists" in assert_problem(response, 409, "USER_ALREADY_EXISTS")["message"]


def test_a_refused_name_leaves_no_account(api: Api, student: Student) -> None:
    """An address whose registration failed for its name can be registered with another name."""
    body = credentials(username=student.username)
    assert_problem(api.post("/api/auth/register", body), 409, "USER_ALREADY_EXISTS")
    assert api.post("/api/auth/register", credentials(email=body["email"])).status_code == 201


def test_one_of_20_simultaneous_registrations_wins(api: Api, sql: psycopg.Connection[Any]) -> None:
    """20 clients register one address at once: one account, one profile, nineteen conflicts."""
    body = credentials()
    responses = api.at_once([api.send("POST", "/api/auth/register", json=body) for _ in range(20)])
    assert sorted(r.status_code for r in responses) == [201] + [409] * 19
    count = """select (select count(*) from auth.users where email = %(email)s),
                      (select count(*) from profiles where username = %(username)s)"""
    assert sql.execute(count, body).fetchone() == (1, 1)


def test_registration_may_be_repeated_with_its_key(api: Api) -> None:
    """The same Idempotency-Key gives the same account; with another body for the same address it is refused."""
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
    """Two that come from different places with the same key get an account each, and each may repeat from anywhere."""
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
    """A project may ask for more than the contract does: a 400, and sign-in stays open for the others."""
    from users.auth import supabase_auth
    from users.auth_client import breaker

    for _ in range(6):
        with pytest.raises(ApiError) as refused:
            api.run(supabase_auth().change_password(student.token, "short"))
        assert refused.value.kind is VALIDATION_ERROR
    assert breaker.get_state() == "closed"
    assert api.post("/api/auth/register", {**credentials(), "password": "密码密码密码12"}).status_code == 201


def test_a_registration_key_is_for_one_registration(api: Api, sql: psycopg.Connection[Any]) -> None:
    """From the same place another address of mail with the same key is refused, and no account comes of it."""
    first, second, headers = credentials(), credentials(), {"Idempotency-Key": str(uuid.uuid4())}
    assert api.post("/api/auth/register", first, headers=headers).status_code == 201
    assert_problem(api.post("/api/auth/register", second, headers=headers), 422, "IDEMPOTENCY_KEY_REUSED")
    assert sql.execute("select count(*) from auth.users where email = %s", [second["email"]]).fetchone() == (0,)
    assert api.post("/api/auth/register", second).status_code == 201


def test_interrupted_registration_can_be_repeated(api: Api, sql: psycopg.Connection[Any]) -> None:
    """An account that was made but never got a token is finished by registering again, by its owner only."""
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
    """An account that is older than our trigger gets its profile when its owner registers."""
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
    """Each bad field is named, its value is not repeated, and no account is made."""
    body = credentials(**{field: value})
    before = sql.execute("select count(*) from auth.users").fetchone()
    problem = assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")
    assert [error["location"] for error in problem["details"]["validation_errors"]] == [f"body.{field}"]
    assert sql.execute("select count(*) from auth.users").fetchone() == before


@pytest.mark.parametrize("field", ["username", "email", "password"])
def test_missing_fields_are_named(api: Api, field: str) -> None:
    """A registration without one of its fields is refused and says which."""
    body = credentials()
    del body[field]
    problem = assert_problem(api.post("/api/auth/register", body), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == f"body.{field}"


def test_unknown_fields_are_refused(api: Api) -> None:
    """A field that the contract does not know is an error, not a silent mass assignment."""
    problem = assert_problem(api.post("/api/auth/register", credentials(xp=100)), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == "body.xp"


def test_login_tells_wrong_address_and_wrong_password_apart_to_nobody(api: Api, student: Student) -> None:
    """Both get the same 401."""
    wrong_password = api.post("/api/auth/login", {"email": student.email, "password": "analytical2"})
    wrong_address = api.post("/api/auth/login", {"email": "x" + student.email, "password": student.password})
    messages = [assert_problem(r, 401, "AUTHENTICATION_ERROR")["message"] for r in (wrong_password, wrong_address)]
    assert messages[0] == messages[1]


def test_login_takes_the_address_in_any_case(api: Api, student: Student) -> None:
    """Addresses are compared without regard to case."""
    response = api.post("/api/auth/login", {"email": student.email.upper(), "password": student.password})
    assert response.json()["data"]["user_id"] == student.user_id


@pytest.mark.parametrize("email", ["nul\0@example.test", "not an address", "", "x" * 254])
def test_login_with_what_is_no_address_is_a_401(api: Api, email: str) -> None:
    """Whatever is sent as an address, a login that fails is the same 401."""
    response = api.post("/api/auth/login", {"email": email, "password": "analytical1"})
    assert_problem(response, 401, "AUTHENTICATION_ERROR")


def test_a_refresh_token_is_exchanged(api: Api, student: Student) -> None:
    """A refresh token is exchanged for new tokens."""
    body = {"refresh_token": student.registered["refresh_token"]}
    refreshed = api.post("/api/auth/refresh", body)
    assert refreshed.status_code == 200
    assert refreshed.json()["data"]["refresh_token"] != body["refresh_token"]
    assert api.get("/api/users/me", token=refreshed.json()["data"]["token"]).status_code == 200


def test_a_refresh_whose_answer_was_lost_may_be_repeated(
    api: Api, student: Student, sql: psycopg.Connection[Any]
) -> None:
    """At once, and with the token just before the current one; an older one ends the session."""
    sent = [student.registered["refresh_token"]]

    def refresh(token: str) -> httpx.Response:
        return api.post("/api/auth/refresh", {"refresh_token": token})

    sent.append(refresh(sent[0]).json()["data"]["refresh_token"])
    # Long ago, by Supabase Auth's clock: only what is just before the current one may come again.
    sql.execute("update auth.refresh_tokens set updated_at = now() - interval '1 minute'")
    assert refresh(sent[0]).json()["data"]["refresh_token"] == sent[1]
    sent.append(refresh(sent[1]).json()["data"]["refresh_token"])
    assert refresh(sent[0]).json()["data"]["refresh_token"] == sent[2], "within the reuse interval"
    sql.execute("update auth.refresh_tokens set updated_at = now() - interval '1 minute'")
    assert_problem(refresh(sent[0]), 401, "AUTHENTICATION_ERROR")
    assert_problem(refresh(sent[2]), 401, "AUTHENTICATION_ERROR")


def test_logout_kills_the_refresh_token(api: Api, student: Student) -> None:
    """After logging out the session cannot be renewed; logging out again is fine."""
    assert student.post("/api/auth/logout").status_code == 200
    body = {"refresh_token": student.registered["refresh_token"]}
    assert_problem(api.post("/api/auth/refresh", body), 401, "AUTHENTICATION_ERROR")
    assert student.post("/api/auth/logout").status_code == 200


def test_logout_does_not_claim_what_supabase_auth_refused(api: Api, student: Student) -> None:
    """A token that Supabase Auth does not take ends no session, and the answer says so."""
    from users.auth import supabase_auth

    with pytest.raises(ApiError) as refused:
        api.run(supabase_auth().sign_out("no.such.token"))
    assert refused.value.kind is AUTHENTICATION_ERROR
    assert api.post("/api/auth/refresh", {"refresh_token": student.registered["refresh_token"]}).status_code == 200


def test_a_refresh_token_with_nul_is_refused(api: Api) -> None:
    """Like any other that is nobody's; it reaches no database."""
    assert_problem(api.post("/api/auth/refresh", {"refresh_token": "a\0b"}), 401, "AUTHENTICATION_ERROR")


def test_zones_that_are_abbreviations_too_have_summer_time(student: Student, sql: psycopg.Connection[Any]) -> None:
    """The database, which counts the days, takes those for a fixed offset; a profile has the zone that was meant."""
    abbreviations = {name for (name,) in sql.execute("select abbrev from pg_timezone_abbrevs")}
    ambiguous = abbreviations & available_timezones()
    assert {"CET", "EET", "MET", "WET"} <= ambiguous
    for name in sorted(ambiguous):
        zone = student.patch("/api/users/me", {"timezone": name}).json()["data"]["timezone"]
        for noon in (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)):
            row = sql.execute("select %s at time zone %s", [noon, zone]).fetchone()
            assert row == (noon.astimezone(ZoneInfo(name)).replace(tzinfo=None),), (name, zone)


def test_others_see_the_public_part_only(api: Api, student: Student) -> None:
    """Somebody else's profile has neither address nor time zone nor goal."""
    profile = api.student().get(f"/api/users/{student.user_id}").json()["data"]
    assert profile["username"] == student.username
    assert not {"email", "timezone", "daily_goal_minutes"} & profile.keys()
    own = student.get(f"/api/users/{student.user_id}").json()["data"]
    assert own["email"] == student.email


def test_ids_in_paths_are_checked(student: Student) -> None:
    """An id that is no UUID is a 400, one that nobody has a 404."""
    assert_problem(student.get("/api/users/not-a-uuid"), 400, "VALIDATION_ERROR")
    assert_problem(student.get(f"/api/users/{uuid.uuid4()}"), 404, "NOT_FOUND")


def test_profile_changes_what_was_sent_and_nothing_else(student: Student) -> None:
    """A change leaves the absent fields as they are."""
    changed = student.patch("/api/users/me", {"display_name": "  Zoë 🎓 محمد ", "timezone": "Asia/Kolkata"})
    assert changed.status_code == 200
    profile = student.patch("/api/users/me", {"daily_goal_minutes": 90}).json()["data"]
    assert profile["display_name"] == "Zoë 🎓 محمد"
    assert profile["timezone"] == "Asia/Kolkata"
    assert (profile["daily_goal_minutes"], profile["username"]) == (90, student.username)


@pytest.mark.parametrize(
    "change",
    [
        {"display_name": ""},
        {"display_name": "   "},
        {"display_name": "\u200b\u200d"},
        {"display_name": "a\u202eb"},
        {"display_name": "a\tb"},
        {"display_name": "nul\0"},
        {"display_name": "x" * 81},
        {"display_name": None},
        {"timezone": "Mars/Phobos"},
        {"timezone": "../../etc/passwd"},
        {"timezone": ""},
        {"timezone": "UTC+25"},
        {"daily_goal_minutes": 0},
        {"daily_goal_minutes": 1441},
        {"daily_goal_minutes": "many"},
        {"username": "no"},
        {"xp": 1000},
        {"email": "new@example.test"},
    ],
)
def test_bad_profile_changes_change_nothing(student: Student, change: dict[str, Any]) -> None:
    """A change with a bad value is refused whole."""
    before = student.get("/api/users/me").json()["data"]
    response = student.patch("/api/users/me", {"daily_goal_minutes": 77, **change})
    errors = assert_problem(response, 400, "VALIDATION_ERROR")["details"]["validation_errors"]
    assert [error["location"] for error in errors] == [f"body.{name}" for name in change]
    assert student.get("/api/users/me").json()["data"] == before


def test_a_taken_name_cannot_be_taken_over(api: Api, student: Student) -> None:
    """Renaming oneself to somebody else's name is a conflict."""
    response = api.student().patch("/api/users/me", {"username": student.username.upper()})
    assert_problem(response, 409, "USER_ALREADY_EXISTS")


def test_a_body_speaks_for_its_sender_only(api: Api, student: Student) -> None:
    """Old clients repeat their own id; anybody else's is refused."""
    own = student.patch("/api/users/me", {"user_id": student.user_id, "daily_goal_minutes": 30})
    assert own.status_code == 200
    other = student.patch("/api/users/me", {"user_id": api.student().user_id, "daily_goal_minutes": 40})
    assert_problem(other, 403, "AUTHORIZATION_ERROR")
    assert student.get("/api/users/me").json()["data"]["daily_goal_minutes"] == 30


def test_search_is_paged_and_takes_wildcards_literally(api: Api) -> None:
    """Search walks all matches page by page; % and _ find only themselves."""
    mark = uuid.uuid4().hex[:8]
    students = [api.student(display_name=f"{mark} {n}") for n in range(5)]
    found: list[str] = []
    cursor = None
    while True:
        response = students[0].get(
            "/api/users", params={"query": mark, "limit": 2} | ({"cursor": cursor} if cursor else {})
        )
        page = response.json()
        found += [user["user_id"] for user in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(found) == sorted(s.user_id for s in students)
    assert len(found) == 5
    assert students[0].get("/api/users", params={"query": f"{mark}%"}).json()["data"] == []
    assert len(students[0].get("/api/users/", params={"query": mark}).json()["data"]) == 5


@pytest.mark.parametrize(("name", "query"), [("李明", "李明"), ("李明", "李"), ("Özge", "ö"), ("ñ_%", "ñ_")])
def test_short_names_are_found(api: Api, name: str, query: str) -> None:
    """One or two characters can be a whole name; what is of Latin letters alone finds user names that begin with it."""
    student = api.student(display_name=name)
    found = student.get("/api/users", params={"query": query, "limit": 100}).json()["data"]
    assert student.user_id in [user["user_id"] for user in found]
    begins = student.get("/api/users", params={"query": student.username[:2], "limit": 100}).json()["data"]
    assert all(user["username"].lower().startswith(student.username[:2].lower()) for user in begins)


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "many"},
        {"cursor": "forged"},
        {"cursor": "W10"},
        {"query": "a\0b"},
        {"query": "x" * 101},
    ],
)
def test_bad_searches_are_refused(student: Student, params: dict[str, Any]) -> None:
    """Limits, cursors and queries outside the contract are a 400."""
    assert_problem(student.get("/api/users", params=params), 400, "VALIDATION_ERROR")


def test_deleting_the_account_deletes_everything(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Account, profile, sessions and ledger go; the token is worth nothing; the name is free again."""
    student = api.student()
    student.complete(student.start())
    assert student.delete("/api/users/me").status_code == 200
    assert student.delete("/api/users/me").status_code == 200
    assert_problem(student.post("/api/sessions/start", {"duration_minutes": 25}), 401, "AUTHENTICATION_ERROR")
    for table in ("profiles", "user_stats", "study_days", "study_sessions", "session_events", "xp_ledger"):
        assert sql.execute(f"select count(*) from {table} where user_id = %s", [student.user_id]).fetchone() == (0,)
    login = api.post("/api/auth/login", {"email": student.email, "password": student.password})
    assert_problem(login, 401, "AUTHENTICATION_ERROR")
    again = {"username": student.username, "email": student.email, "password": "analytical1"}
    assert api.post("/api/auth/register", again).status_code == 201
