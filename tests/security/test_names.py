"""Impersonation by user name or by display name."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import psycopg
import pytest

from testing.client import Api, Student, assert_problem, openapi


def register(api: Api, username: str) -> httpx.Response:
    body = {"username": username, "email": f"{uuid.uuid4().hex}@example.test", "password": "analytical1"}
    return api.post("/api/auth/register", body)


def mark() -> str:
    """A word that is unique to the test, without letters that resemble others."""
    return uuid.uuid4().hex.translate(str.maketrans("01c", "ghk"))[:10]


LOOK_ALIKES = [
    ("lili_x{}", "IiIi_x{}"), ("lili_x{}", "1i1l_X{}"), ("ada{}", "ADA{}"), ("modern{}", "modem{}"),
    ("vvanda{}", "wanda{}"), ("cloe{}", "dOe{}"), ("b0b{}", "bob{}"), ("oo0{}", "OOO{}"), ("IIl{}", "lll{}"),
    ("corn{}", "c0m{}"), ("ann_{}", "ann__{}"), ("ann_{}", "_ann_{}_"),
]  # fmt: skip
DIFFERENT = [
    ("ann_{}", "ann{}"), ("{}1", "{}2"), ("ada{}", "adah{}"), ("{}5", "{}s"), ("lili{}", "lilo{}"), ("rm{}", "mr{}"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), [*LOOK_ALIKES, *((b, a) for a, b in LOOK_ALIKES)])
def test_a_name_that_looks_like_a_taken_one_is_taken(api: Api, first: str, second: str) -> None:
    """A look-alike name is taken, at registration and on rename; the account with the original keeps it."""
    ours = mark()
    assert register(api, first.format(ours)).status_code == 201
    assert_problem(register(api, second.format(ours)), 409, "USER_ALREADY_EXISTS")
    renamed = api.student().patch("/api/users/me", {"username": second.format(ours)})
    assert_problem(renamed, 409, "USER_ALREADY_EXISTS")


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_other_names_are_free(api: Api, first: str, second: str) -> None:
    """A clearly distinguishable name is free."""
    ours = mark()
    assert register(api, first.format(ours)).status_code == 201
    assert register(api, second.format(ours)).status_code == 201


def test_one_may_respell_the_own_name(student: Student) -> None:
    """A user can change the spelling of their own name."""
    wanted = student.username.upper()
    assert student.patch("/api/users/me", {"username": wanted}).json()["data"]["username"] == wanted


def test_a_name_goes_to_one_of_20_look_alikes(api: Api) -> None:
    """Of 20 simultaneous registrations of look-alike names one succeeds and nineteen are conflicts."""
    ours = mark()
    names = [f"{ours}_{n:05b}".translate(str.maketrans("01", "iI")) for n in range(20)]
    bodies = [
        {"username": name, "email": f"{uuid.uuid4().hex}@example.test", "password": "analytical1"} for name in names
    ]
    answers = api.at_once([api.send("POST", "/api/auth/register", json=body) for body in bodies])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 19


RESERVED = [
    "admin", "ADMIN", "Admin_", "_admin", "a_d_m_i_n", "adm1n", "4dmin", "4DM1N", "admin1", "admin_2026", "99admin",
    "adrnin", "aclmin", "administrator", "support", "supp0rt", "5upport", "help", "he1p", "moderator", "mod",
    "mod_1", "system", "5y5tem", "root", "r00t", "staff", "official", "security", "studysync", "StudySync",
    "study_sync", "5tudy5ync", "the_studysync_team", "studysync_support", "api", "api_", "me_", "nuLL", "undefined",
    "anonymous", "deleted", "support_team", "adminsupport", "official_admin_1",
]  # fmt: skip


@pytest.mark.parametrize("name", RESERVED)
def test_names_that_speak_for_us_are_reserved(
    api: Api, sql: psycopg.Connection[Any], student: Student, name: str
) -> None:
    """A reserved name is refused on rename, and at registration, which then leaves no account."""
    before = sql.execute("select count(*) from auth.users").fetchone()
    for answer in (register(api, name), student.patch("/api/users/me", {"username": name})):
        problem = assert_problem(answer, 400, "VALIDATION_ERROR")
        assert problem["details"]["validation_errors"][0]["location"] == "body.username"
        assert "reserved" in problem["details"]["validation_errors"][0]["message"]
    assert sql.execute("select count(*) from auth.users").fetchone() == before
    assert student.get("/api/users/me").json()["data"]["username"] == student.username


@pytest.mark.parametrize(
    "name",
    [
        "admiral",
        "helpful_hanna",
        "modesta",
        "rooted",
        "apiary",
        "mellie",
        "newsy",
        "legally",
        "staffan",
        "supporter_ann",
    ],
)
def test_names_that_only_begin_so_are_free(sql: psycopg.Connection[Any], name: str) -> None:
    """A reserved name as part of a longer word is free."""
    assert sql.execute("select internal.is_reserved(%s)", [name]).fetchone() == (False,)


@pytest.fixture
def made_elsewhere(sql: psycopg.Connection[Any]) -> Iterator[Any]:
    """Create an account without our API, as Supabase's own pages do; returns its name."""

    def make(**metadata: Any) -> str:
        row = sql.execute(
            """insert into auth.users (id, email, raw_user_meta_data)
               values (gen_random_uuid(), gen_random_uuid() || '@example.test', %s) returning id""",
            [json.dumps(metadata)],
        ).fetchone()
        assert row
        name = sql.execute("select username, display_name from profiles where user_id = %s", [row[0]]).fetchone()
        assert name
        assert name[0] == name[1]
        found: str = name[0]
        return found

    return make


@pytest.mark.parametrize("name", ["admin", "supp0rt", "StudySync", "a b", "Иван", "x", "x" * 31, "", None, 5, {"a": 1}])
def test_accounts_made_elsewhere_get_a_name_of_their_own(made_elsewhere: Any, name: Any) -> None:
    """An account created elsewhere with a reserved or invalid name gets a generated one."""
    assert made_elsewhere(username=name).startswith("user_")
    assert made_elsewhere().startswith("user_")


def test_accounts_made_elsewhere_take_no_look_alike(made_elsewhere: Any, student: Student) -> None:
    """An account created elsewhere does not get a taken name, but keeps a free one."""
    free = f"f_{mark()}"
    assert made_elsewhere(username=student.username.upper()).startswith("user_")
    assert made_elsewhere(username=free) == free


@pytest.mark.parametrize(
    "name",
    ["Ad\u0430", "Ada\u200b", "\u200eAda", "Ada\u3164", "A\u200dda", "\u0410\u0441\u0430 Smith", "Ada\U000e0061"],
    ids=ascii,
)
def test_display_names_that_look_like_anothers_are_refused(student: Student, name: str) -> None:
    """Invisible characters and letters of other scripts are refused, and the profile is unchanged."""
    problem = assert_problem(student.patch("/api/users/me", {"display_name": name}), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == "body.display_name"
    assert student.get("/api/users/me").json()["data"]["display_name"] == student.username


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("\uff21da  L", "Ada L"), ("👩\u200d🎓 Zoë", "👩\u200d🎓 Zoë"), ("\U0001fae8", "\U0001fae8"), ("李明", "李明")],
)
def test_display_names_are_kept_in_one_spelling(student: Student, typed: str, kept: str) -> None:
    """A display name is stored in one spelling, and found in any."""
    assert student.patch("/api/users/me", {"display_name": typed}).json()["data"]["display_name"] == kept
    found = student.get("/api/users", params={"query": typed, "limit": 100}).json()["data"]
    assert student.user_id in {user["user_id"] for user in found}


def test_the_username_stands_beside_every_display_name() -> None:
    """Every schema of the document with a display name also has the user name."""
    shown = {
        name: schema["properties"]
        for name, schema in openapi()["components"]["schemas"].items()
        if "display_name" in schema.get("properties", {}) and not name.endswith("Changes")
    }
    assert shown
    assert [name for name, properties in shown.items() if "username" not in properties] == []
