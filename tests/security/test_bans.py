"""A user who is banned from a space tries to return."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student, assert_problem
from testing.spaces import create, join

READABLE = """select c.oid::regclass::text from pg_class c, pg_roles r
              where c.relnamespace = 'internal'::regnamespace and r.rolname in ('anon', 'authenticated', 'service_role')
                and has_schema_privilege(r.oid, 'internal', 'usage') and has_table_privilege(r.oid, c.oid, 'select')"""


def register(api: Api, email: str) -> Student:
    """A new account with this address."""
    body = {"username": f"b_{uuid.uuid4().hex[:16]}", "email": email, "password": "analytical1"}
    response = api.post("/api/auth/register", body)
    assert response.status_code == 201, response.text
    data = response.json()["data"]
    return Student(api, data["user_id"], body["username"], email, body["password"], data["token"], data)


def ban(owner: Student, space: dict[str, Any], student: Student) -> None:
    """Ban a user and return the new invite code."""
    path = f"/api/spaces/{space['space_id']}"
    response = owner.delete(f"{path}/members/{student.user_id}", params={"ban": True})
    assert response.json()["data"]["banned"] is True
    space["invite_code"] = owner.get(path).json()["data"]["invite_code"]


def change_address(sql: psycopg.Connection[Any], student: Student, email: str) -> None:
    """Change the address as Supabase Auth does once the new one is confirmed."""
    sql.execute("update auth.users set email = %s where id = %s", [email, student.user_id])
    student.email = email


def is_kept_out(student: Student, space: dict[str, Any]) -> bool:
    """Whether every way in is a 403: by code, by id, and by both."""
    answers = [
        join(student, space),
        join(student, space, code=True),
        student.post("/api/spaces/join", {"invite_code": space["invite_code"]}),
    ]
    statuses = {answer.status_code for answer in answers}
    assert statuses in ({403}, {200}), statuses
    return statuses == {403}


def address(name: str = "", domain: str = "example.test") -> str:
    return f"{name}{uuid.uuid4().hex[:12]}@{domain}"


@pytest.mark.parametrize("member", [True, False], ids=["a member", "who has left"])
def test_a_ban_outlives_the_account(api: Api, student: Student, sql: psycopg.Connection[Any], member: bool) -> None:
    """After deleting the account and registering the same address, the user is still banned, from this space only."""
    space, other, email = create(student), create(student), address()
    banned = register(api, email)
    if member:
        join(banned, space)
    ban(student, space, banned)
    assert is_kept_out(banned, space)
    assert banned.delete("/api/users/me").status_code == 200
    again = register(api, email.upper())
    assert is_kept_out(again, space)
    assert not is_kept_out(again, other)
    assert not is_kept_out(register(api, address()), space)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("ann+a@example.test", "ann+b@example.test", True),
        ("ann+a+b@example.test", "Ann@Example.Test", True),
        ("ann.lee@gmail.com", "a.n.n.lee+x@googlemail.com", True),
        ("ann.lee@example.test", "annlee@example.test", False),
        ("ann@example.test", "ann@sub.example.test", False),
        ("ann@example.test", "anna@example.test", False),
        ("+x@example.test", "+y@example.test", False),
    ],
)
def test_another_spelling_of_a_mailbox_is_no_other_person(
    api: Api, student: Student, first: str, second: str, same: bool
) -> None:
    """Case, a plus suffix and Gmail's dots make no new person, even for an account beside the first one."""
    mark = uuid.uuid4().hex[:12]
    space = create(student)
    ban(student, space, register(api, first.replace("ann", f"ann{mark}").replace("+x", f"+{mark}x")))
    back = register(api, second.replace("ann", f"ann{mark}").replace("Ann", f"Ann{mark}").replace(
        "a.n.n", f"a.n.n{mark}").replace("+y", f"+{mark}y"))  # fmt: skip
    assert is_kept_out(back, space) is same


@pytest.mark.parametrize("came_back_with", [0, 1, 2])
@pytest.mark.parametrize("banned_with", [0, 1, 2])
def test_changing_the_address_changes_nothing(
    api: Api, student: Student, sql: psycopg.Connection[Any], banned_with: int, came_back_with: int
) -> None:
    """None of an account's addresses at the time of the ban opens the space afterwards."""
    space, addresses = create(student), [address() for _ in range(3)]
    banned = register(api, addresses[0])
    for number, email in enumerate(addresses):
        if number:
            change_address(sql, banned, email)
        if number == banned_with:
            ban(student, space, banned)
    banned.delete("/api/users/me")
    assert is_kept_out(register(api, addresses[came_back_with]), space)


def test_a_new_address_hides_nobody(api: Api, student: Student, sql: psycopg.Connection[Any]) -> None:
    """A banned address that was registered again and then changed before joining stays banned."""
    space, email = create(student), address()
    banned = register(api, email)
    ban(student, space, banned)
    banned.delete("/api/users/me")
    again = register(api, email)
    change_address(sql, again, address())
    assert is_kept_out(again, space)


def test_a_ban_kills_the_code_that_the_banned_one_knows(api: Api, student: Student) -> None:
    """A ban invalidates the old code for everyone; owner and moderators see the new one, and repeating keeps it."""
    space, member, moderator = create(student, visibility="private"), api.student(), api.student()
    old = dict(space)
    for one in (member, moderator):
        join(one, space, code=True)
    path = f"/api/spaces/{space['space_id']}"
    student.patch(f"{path}/members/{moderator.user_id}", {"role": "moderator"})
    ban(moderator, space, member)
    assert space["invite_code"] != old["invite_code"]
    assert len(space["invite_code"]) == len(old["invite_code"])
    assert student.get(path).json()["data"]["invite_code"] == space["invite_code"]
    assert_problem(join(api.student(), old, code=True), 404, "NOT_FOUND")
    assert not is_kept_out_of_private(api.student(), space)
    known = space["invite_code"]
    ban(student, space, member)
    assert space["invite_code"] == known


def is_kept_out_of_private(student: Student, space: dict[str, Any]) -> bool:
    return bool(join(student, space, code=True).status_code != 200)


def test_removing_without_a_ban_keeps_code_and_door(api: Api, student: Student) -> None:
    """A user who was only removed can rejoin with the same code."""
    space, member = create(student), api.student()
    join(member, space)
    path = f"/api/spaces/{space['space_id']}"
    assert student.delete(f"{path}/members/{member.user_id}").json()["data"]["banned"] is False
    assert student.get(path).json()["data"]["invite_code"] == space["invite_code"]
    assert not is_kept_out(member, space)


def test_what_is_kept_names_nobody(api: Api, student: Student, sql: psycopg.Connection[Any]) -> None:
    """A ban stores a hash of the address, with a key that nobody can read, and is deleted with the space."""
    space, email = create(student), address()
    ban(student, space, register(api, email))
    query = "select mailbox from internal.banned_mailboxes where space_id = %s"
    ((kept,),) = sql.execute(query, [space["space_id"]]).fetchall()
    assert len(kept) == 32
    plain = sql.execute("select sha256(%s::bytea), sha256(sha256(%s::bytea))", [email.encode()] * 2).fetchone()
    assert kept not in (plain or ())
    assert sql.execute(READABLE).fetchall() == []
    keys = sql.execute("select octet_length(key) from internal.secret_keys").fetchall()
    assert keys
    assert all(length >= 32 for (length,) in keys)
    student.delete(f"/api/spaces/{space['space_id']}")
    assert sql.execute(query, [space["space_id"]]).fetchall() == []


def test_the_former_addresses_of_an_account_are_bounded(sql: psycopg.Connection[Any], student: Student) -> None:
    """The last 20 addresses are stored for as long as the account exists."""
    for _ in range(25):
        change_address(sql, student, address())
    count = "select count(*) from internal.former_mailboxes where user_id = %s"
    assert sql.execute(count, [student.user_id]).fetchone() == (20,)
    student.delete("/api/users/me")
    assert sql.execute(count, [student.user_id]).fetchone() == (0,)
