"""The audit trail: what is written, who reads it, and that nobody changes it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from tests.support.client import Api, Student, assert_problem
from tests.support.clock import DatabaseClock


def trail(student: Student) -> list[tuple[str, str, bool, dict[str, Any]]]:
    """The student's own trail, oldest first."""
    response = student.get("/api/users/me/audit?limit=100")
    assert response.status_code == 200
    rows = [(r["resource_type"], r["operation"], r["success"], r["changes"]) for r in response.json()["data"]]
    return rows[::-1]


def test_a_life_leaves_its_trail(student: Student) -> None:
    """Account, sign-in, profile, session, each with what changed, and nothing secret."""
    student.patch("/api/users/me", {"daily_goal_minutes": 90})
    student.complete(student.start())
    assert trail(student) == [
        ("profile", "insert", True, {"username": student.username}),
        ("account", "sign_in", True, {}),
        ("profile", "update", True, {"daily_goal_minutes": 90}),
        ("session", "insert", True, {"status": "active"}),
        ("session", "update", True, {"status": "completed"}),
    ]


def test_spaces_are_in_the_trail_of_whoever_it_concerns(api: Api, student: Student) -> None:
    """A change of a membership stands with the member and with who changed it; an invite code is not shown."""
    member = api.student()
    created = student.post("/api/spaces/create", {"name": "Ours", "visibility": "public"}).json()["data"]
    space = f"/api/spaces/{created['space_id']}"
    member.post(f"{space}/join")
    student.post(f"{space}/invite-code")
    student.patch(f"{space}/members/{member.user_id}", {"role": "moderator"})
    student.delete(f"{space}/members/{member.user_id}")
    assert [row for row in trail(member) if row[0] == "membership"] == [
        ("membership", "insert", True, {"role": "member"}),
        ("membership", "update", True, {"role": "moderator"}),
        ("membership", "delete", True, {}),
    ]
    own = [row for row in trail(student) if row[0] in {"membership", "space"}]
    assert ("space", "insert", True, {"name": "Ours", "visibility": "public"}) in own
    assert ("space", "update", True, {"invite_code": "***"}) in own
    assert ("membership", "update", True, {"role": "moderator", "member": member.user_id}) in own
    assert ("membership", "delete", True, {"member": member.user_id}) in own


def test_refusals_are_kept_but_not_without_bound(api: Api, student: Student) -> None:
    """A wrong password and a forbidden request are in the trail; somebody who keeps trying does not fill it."""
    wrong = {"email": student.email.upper(), "password": "wrong password 1"}
    assert_problem(api.post("/api/auth/login", wrong), 401, "AUTHENTICATION_ERROR")
    other = {"duration_minutes": 25, "user_id": "00000000-0000-4000-8000-000000000000"}
    for _ in range(25):
        assert_problem(student.post("/api/sessions/start", other), 403, "AUTHORIZATION_ERROR")
    refused = [row[:3] for row in trail(student) if not row[2]]
    assert refused[0] == ("account", "sign_in", False)
    assert refused[1:] == [("route", "POST", False)] * 19


def test_the_trail_is_paged_and_ones_own(api: Api, student: Student) -> None:
    """Pages follow each other without gaps, a forged cursor is refused, and nobody reads another's."""
    api.student()
    whole = student.get("/api/users/me/audit").json()["data"]
    pages, cursor = [], ""
    while cursor is not None:
        page = student.get(f"/api/users/me/audit?limit=1{cursor and '&cursor='}{cursor}").json()
        pages += page["data"]
        cursor = page["next_cursor"]
    assert pages == whole
    assert len(whole) == 2
    assert_problem(student.get("/api/users/me/audit?cursor=x"), 400, "VALIDATION_ERROR")
    assert_problem(api.get("/api/users/me/audit"), 401, "AUTHENTICATION_ERROR")


@pytest.mark.parametrize(
    "statement", ["update audit_log set success = true", "delete from audit_log", "truncate audit_log"]
)
def test_nobody_changes_the_trail(sql: psycopg.Connection[Any], student: Student, statement: str) -> None:
    """Not even the database's superuser, with a statement of its own."""
    assert trail(student)
    with pytest.raises(psycopg.errors.RestrictViolation):
        sql.execute(statement)  # type: ignore[arg-type]


def test_the_trail_is_kept_for_30_days(api: Api, student: Student, clock: DatabaseClock) -> None:
    """The schedule's purge takes what is older, and nothing else."""
    from health.service import purge_trails

    clock.advance(days=29)
    api.run(purge_trails())
    assert len(trail(student)) == 2
    student.patch("/api/users/me", {"daily_goal_minutes": 30})
    clock.advance(days=2)
    assert api.run(purge_trails()) >= 2
    assert [row[1] for row in trail(student)] == ["update"]


def test_the_trail_goes_with_the_account(sql: psycopg.Connection[Any], student: Student) -> None:
    """Who leaves leaves nothing personal behind."""
    student.complete(student.start())
    assert student.delete("/api/users/me").status_code == 200
    assert sql.execute("select count(*) from audit_log where user_id = %s", [student.user_id]).fetchone() == (0,)
