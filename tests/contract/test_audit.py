"""The audit trail: what it records, who can read it, and that nobody can change it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.offline import life, send


def trail(student: Student) -> list[tuple[str, str, bool, dict[str, Any]]]:
    """The student's own trail, oldest first."""
    response = student.get("/api/users/me/audit?limit=100")
    assert response.status_code == 200
    rows = [(r["resource_type"], r["operation"], r["success"], r["changes"]) for r in response.json()["data"]]
    return rows[::-1]


def test_a_life_leaves_its_trail(student: Student) -> None:
    """Account, sign-in, profile and session entries show what changed and contain no secret."""
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
    """A change of membership is recorded for the member and for the one who changed it; invite codes are not shown."""
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
    """Wrong passwords and forbidden requests are recorded, up to a limit for repeated attempts."""
    wrong = {"email": student.email.upper(), "password": "wrong password 1"}
    assert_problem(api.post("/api/auth/login", wrong), 401, "AUTHENTICATION_ERROR")
    other = {"duration_minutes": 25, "user_id": "00000000-0000-4000-8000-000000000000"}
    for _ in range(25):
        assert_problem(student.post("/api/sessions/start", other), 403, "AUTHORIZATION_ERROR")
    refused = [row[:3] for row in trail(student) if not row[2]]
    assert refused[0] == ("account", "sign_in", False)
    assert refused[1:] == [("route", "POST", False)] * 19


def test_the_trail_is_paged_and_ones_own(api: Api, student: Student) -> None:
    """Pages have no gaps, a forged cursor is refused, and nobody can read another user's trail."""
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


def pages(student: Student, limit: int) -> list[list[dict[str, Any]]]:
    """The whole trail, page by page."""
    found, cursor = [], None
    while True:
        params = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        page = student.get("/api/users/me/audit", params=params).json()
        found.append(page["data"])
        cursor = page["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_sessions_are_woven_into_the_trail(student: Student, clock: DatabaseClock, limit: int) -> None:
    """For any page size every entry comes exactly once, newest first, with a unique number."""
    for number in range(4):
        clock.advance(minutes=7)
        session = student.start()
        clock.advance(minutes=2)
        student.patch("/api/users/me", {"daily_goal_minutes": 30 + number})
        clock.advance(minutes=2)
        student.post(f"/api/sessions/{session}/{'abandon' if number % 2 else 'complete'}")
    running = student.start()
    found = [entry for page in pages(student, limit) for entry in page]
    assert all(len(page) == limit for page in pages(student, limit)[:-1])
    times = [entry["occurred_at"] for entry in found]
    assert times == sorted(times, reverse=True)
    assert len({entry["entry_id"] for entry in found}) == len(found) == 2 + 3 * 4 + 1
    assert found[0]["resource_id"] == running
    told = [(entry["resource_type"], entry["operation"], entry["changes"]) for entry in found[1:-2]]
    for number in range(4):
        ended = "abandoned" if number % 2 else "completed"
        assert told[3 * (3 - number) :][:3] == [
            ("session", "update", {"status": ended}),
            ("profile", "update", {"daily_goal_minutes": 30 + number}),
            ("session", "insert", {"status": "active"}),
        ]


def test_an_offline_session_stands_where_it_happened(student: Student, clock: DatabaseClock) -> None:
    """An offline session is listed when it happened; of two that meet at one moment, the later one is listed first."""
    clock.advance(days=2)
    begun = clock.now() - timedelta(hours=5)
    send(student, life(begun, 10) + life(begun + timedelta(minutes=10), 10))
    entries = student.get("/api/users/me/audit").json()["data"]
    assert [entry["changes"].get("status") for entry in entries[:4]] == ["completed", "active"] * 2
    assert datetime.fromisoformat(entries[3]["occurred_at"]) == begun
    assert [entry for page in pages(student, 1) for entry in page] == entries


def test_sessions_are_told_of_for_30_days(student: Student, clock: DatabaseClock) -> None:
    """Sessions are kept forever, but their audit entries only for 30 days."""
    student.complete(student.start())
    clock.advance(days=29)
    assert [row[0] for row in trail(student)].count("session") == 2
    clock.advance(days=2)
    assert [row[0] for row in trail(student)].count("session") == 0


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "W251bGwsbnVsbCxudWxsLCJ4Il0"])
def test_cursors_that_nobody_gave_are_refused(student: Student, cursor: str) -> None:
    """A made-up cursor is refused, whatever it contains."""
    response = student.get("/api/users/me/audit", params={"cursor": cursor})
    assert_problem(response, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize(
    "statement", ["update audit_log set success = true", "delete from audit_log", "truncate audit_log"]
)
def test_nobody_changes_the_trail(sql: psycopg.Connection[Any], student: Student, statement: str) -> None:
    """Not even the database's superuser can change the trail with an ordinary statement."""
    assert trail(student)
    with pytest.raises(psycopg.errors.RestrictViolation):
        sql.execute(statement)  # type: ignore[arg-type]


def test_the_trail_is_kept_for_30_days(api: Api, student: Student, clock: DatabaseClock) -> None:
    """The scheduled purge deletes entries older than 30 days and nothing else."""
    from health.operations.schedules import purge_trails

    clock.advance(days=29)
    api.run(purge_trails())
    assert len(trail(student)) == 2
    student.patch("/api/users/me", {"daily_goal_minutes": 30})
    clock.advance(days=2)
    assert api.run(purge_trails()) >= 2
    assert [row[1] for row in trail(student)] == ["update"]


def test_the_trail_goes_with_the_account(sql: psycopg.Connection[Any], student: Student) -> None:
    """Deleting the account deletes its personal data from the trail."""
    student.complete(student.start())
    assert student.delete("/api/users/me").status_code == 200
    assert sql.execute("select count(*) from audit_log where user_id = %s", [student.user_id]).fetchone() == (0,)
