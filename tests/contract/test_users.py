"""Accounts and profiles as clients see them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import httpx
import psycopg
import pytest

from studysync.errors import AUTHENTICATION_ERROR, ApiError
from testing.client import Api, Student, assert_problem


def test_login_tells_wrong_address_and_wrong_password_apart_to_nobody(api: Api, student: Student) -> None:
    """A wrong address and a wrong password get the same 401."""
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
    """A login with a malformed address is the same 401."""
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
    """A refresh can be repeated immediately and with the previous token; an older token ends the session."""
    sent = [student.registered["refresh_token"]]

    def refresh(token: str) -> httpx.Response:
        return api.post("/api/auth/refresh", {"refresh_token": token})

    for _ in range(2):
        sent.append(refresh(sent[-1]).json()["data"]["refresh_token"])
    sql.execute("update auth.refresh_tokens set updated_at = now()")
    assert refresh(sent[0]).json()["data"]["refresh_token"] == sent[2], "within the reuse interval"
    sql.execute("update auth.refresh_tokens set updated_at = now() - interval '11 seconds'")
    assert refresh(sent[1]).json()["data"]["refresh_token"] == sent[2], "just before the current one"
    assert_problem(refresh(sent[0]), 401, "AUTHENTICATION_ERROR")
    assert_problem(refresh(sent[2]), 401, "AUTHENTICATION_ERROR")


def test_logout_kills_the_refresh_token(api: Api, student: Student) -> None:
    """After logout the session cannot be refreshed; logging out again succeeds."""
    assert student.post("/api/auth/logout").status_code == 200
    body = {"refresh_token": student.registered["refresh_token"]}
    assert_problem(api.post("/api/auth/refresh", body), 401, "AUTHENTICATION_ERROR")
    assert student.post("/api/auth/logout").status_code == 200


def test_logout_does_not_claim_what_supabase_auth_refused(api: Api, student: Student) -> None:
    """A token that Supabase Auth rejects ends no session, and the answer says so."""
    from users.auth import supabase_auth

    with pytest.raises(ApiError) as refused:
        api.run(supabase_auth().sign_out("no.such.token"))
    assert refused.value.kind is AUTHENTICATION_ERROR
    assert api.post("/api/auth/refresh", {"refresh_token": student.registered["refresh_token"]}).status_code == 200


def test_a_refresh_token_with_nul_is_refused(api: Api) -> None:
    """A refresh token with NUL is refused like any unknown one and never reaches the database."""
    assert_problem(api.post("/api/auth/refresh", {"refresh_token": "a\0b"}), 401, "AUTHENTICATION_ERROR")


def test_zones_that_are_abbreviations_too_have_summer_time(student: Student, sql: psycopg.Connection[Any]) -> None:
    """PostgreSQL reads such abbreviations as fixed offsets; the profile stores the zone that was meant."""
    abbreviations = {name for (name,) in sql.execute("select abbrev from pg_timezone_abbrevs")}
    ambiguous = abbreviations & available_timezones()
    assert {"CET", "EET", "MET", "WET"} <= ambiguous
    for name in sorted(ambiguous):
        zone = student.patch("/api/users/me", {"timezone": name}).json()["data"]["timezone"]
        for noon in (datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 7, 1, 12, tzinfo=UTC)):
            row = sql.execute("select %s at time zone %s", [noon, zone]).fetchone()
            assert row == (noon.astimezone(ZoneInfo(name)).replace(tzinfo=None),), (name, zone)


def test_others_see_the_public_part_only(api: Api, student: Student) -> None:
    """Another user's profile shows no email address, time zone or goal."""
    profile = api.student().get(f"/api/users/{student.user_id}").json()["data"]
    assert profile["username"] == student.username
    assert not {"email", "timezone", "daily_goal_minutes"} & profile.keys()
    own = student.get(f"/api/users/{student.user_id}").json()["data"]
    assert own["email"] == student.email


def test_ids_in_paths_are_checked(student: Student) -> None:
    """A malformed id is a 400, an unknown one a 404."""
    assert_problem(student.get("/api/users/not-a-uuid"), 400, "VALIDATION_ERROR")
    assert_problem(student.get(f"/api/users/{uuid.uuid4()}"), 404, "NOT_FOUND")


def test_profile_changes_what_was_sent_and_nothing_else(student: Student) -> None:
    """An update leaves absent fields unchanged."""
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
    """An update with one bad value is refused as a whole."""
    before = student.get("/api/users/me").json()["data"]
    response = student.patch("/api/users/me", {"daily_goal_minutes": 77, **change})
    errors = assert_problem(response, 400, "VALIDATION_ERROR")["details"]["validation_errors"]
    assert [error["location"] for error in errors] == [f"body.{name}" for name in change]
    assert student.get("/api/users/me").json()["data"] == before


def test_a_taken_name_cannot_be_taken_over(api: Api, student: Student) -> None:
    """Renaming oneself to a taken name is a conflict."""
    response = api.student().patch("/api/users/me", {"username": student.username.upper()})
    assert_problem(response, 409, "USER_ALREADY_EXISTS")


def test_a_body_speaks_for_its_sender_only(api: Api, student: Student) -> None:
    """A user_id in a body is accepted when it is the caller's own; any other is refused."""
    own = student.patch("/api/users/me", {"user_id": student.user_id, "daily_goal_minutes": 30})
    assert own.status_code == 200
    other = student.patch("/api/users/me", {"user_id": api.student().user_id, "daily_goal_minutes": 40})
    assert_problem(other, 403, "AUTHORIZATION_ERROR")
    assert student.get("/api/users/me").json()["data"]["daily_goal_minutes"] == 30


def test_search_is_paged_and_takes_wildcards_literally(api: Api) -> None:
    """Search pages through all matches; % and _ match only themselves."""
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
    """One or two characters can be a whole name; Latin letters alone also match prefixes of user names."""
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
    """Bad limits, cursors and queries are answered with 400."""
    assert_problem(student.get("/api/users", params=params), 400, "VALIDATION_ERROR")


def test_deleting_the_account_deletes_everything(api: Api, sql: psycopg.Connection[Any]) -> None:
    """Account, profile, sessions and ledger are deleted, the token stops working, and the name is free again."""
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
