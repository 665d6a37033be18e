"""Catching up: a user's changes since a cursor, and what the server has from each client."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from testing.client import Api, Student, assert_problem
from testing.cursors import sealed
from testing.offline import MINUTE, life, send


def catch_up(student: Student, cursor: str | None = None, limit: int = 3) -> tuple[list[dict[str, Any]], str]:
    found = []
    while True:
        response = student.get("/api/sync/changes", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["data"]
        cursor = page["cursor"]
        if page["next_cursor"] is None:
            return found, page["cursor"]


def test_a_second_device_catches_up(api: Api, student: Student, noon: datetime) -> None:
    """The first sync has sessions, XP, badges, memberships, profile and tombstones; later ones have only changes."""
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    batch = life(noon)
    result = send(student, batch)
    student.patch("/api/users/me", {"daily_goal_minutes": 99})
    changes, cursor = catch_up(student)
    state = {(c["kind"], c["id"]): c for c in changes}
    assert state["session", batch[0]["session_id"]]["data"]["status"] == "completed"
    assert state["xp", "me"]["data"] == {"total_xp": 40, "level": 1}
    assert state["badge", "first_session"]["data"]["earned_at"]
    assert state["membership", space]["data"]["role"] == "owner"
    assert state["profile", "me"]["data"]["daily_goal_minutes"] == 99
    assert len(state) == len(changes) == 5
    assert catch_up(student, cursor)[0] == []
    student.post(f"/api/spaces/{space}/leave")
    news, _ = catch_up(student, cursor)
    assert [(c["kind"], c["id"], c["deleted"], c["data"]) for c in news] == [("membership", space, True, None)]
    from_batch, _ = catch_up(student, result["cursor"])
    assert {c["kind"] for c in from_batch} >= {"session", "xp", "profile", "membership"}


def test_a_device_begins_with_the_first_change(api: Api) -> None:
    """Without a cursor nothing is skipped, and a page that holds exactly the rest is the last one."""
    student = api.student()
    student.patch("/api/users/me", {"daily_goal_minutes": 99})
    first, _ = catch_up(student)
    assert [(c["kind"], c["data"]["daily_goal_minutes"]) for c in first] == [("profile", 99)]
    page = student.get("/api/sync/changes", params={"limit": 1}).json()
    assert (page["success"], page["data"], page["next_cursor"]) == (True, first, None)


def test_what_others_do_to_a_member_is_a_change(api: Api, student: Student) -> None:
    """A promotion or removal by the owner reaches the member's devices."""
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    member = api.student()
    member.post(f"/api/spaces/{space}/join")
    _, cursor = catch_up(member)
    student.patch(f"/api/spaces/{space}/members/{member.user_id}", {"role": "moderator"})
    promoted, cursor = catch_up(member, cursor)
    assert [(c["kind"], c["data"]["role"]) for c in promoted] == [("membership", "moderator")]
    student.delete(f"/api/spaces/{space}/members/{member.user_id}")
    removed, _ = catch_up(member, cursor)
    assert [(c["kind"], c["deleted"]) for c in removed] == [("membership", True)]


def test_cursors_of_others_and_forged_ones_are_refused(api: Api, student: Student) -> None:
    """A cursor is valid only for its user and the server that created it."""
    _, cursor = catch_up(api.student())
    impossible = [sealed("/api/sync/changes", seq, owner=student.user_id) for seq in (-1, 2**70, "x")]
    for forged in (cursor, *impossible, "forged", "e30"):
        body = assert_problem(student.get("/api/sync/changes", params={"cursor": forged}), 400, "VALIDATION_ERROR")
        assert [e["location"] for e in body["details"]["validation_errors"]] == ["query.cursor"]


def test_status_tells_what_the_server_has(student: Student, noon: datetime) -> None:
    """The status has counts and times of one client, and of all."""
    send(student, [*life(noon), "nonsense"], client_id="phone")
    send(student, life(noon + timedelta(hours=1)), client_id="tablet")
    phone = student.get("/api/sync/status", params={"client_id": "phone"}).json()["data"]
    assert (phone["applied_count"], phone["rejected_count"]) == (len(life(noon)), 1)
    assert datetime.fromisoformat(phone["last_event_at"]) == noon + 30 * MINUTE
    nothing = student.get("/api/sync/status", params={"client_id": "watch"}).json()["data"]
    assert (nothing["applied_count"], nothing["last_synced_at"]) == (0, None)
    assert student.get("/api/sync/status").json()["data"]["applied_count"] == 2 * len(life(noon))
