"""Spaces as clients see them: created, found, joined, studied in and left."""

from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from resilience import cache_manager
from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.spaces import create, join, members
from testing.timeline import completed_session

pytestmark = pytest.mark.slow


def test_the_life_of_a_space(api: Api, student: Student) -> None:
    """A space is created, found, joined, studied in, left and deleted."""
    mark = uuid.uuid4().hex
    space = create(student, name=f"Algebra {mark}", description="Thursdays")
    path = f"/api/spaces/{space['space_id']}"
    assert (space["owner_id"], space["role"], space["member_count"]) == (student.user_id, "owner", 1)
    assert (space["capacity"], space["is_member"]) == (50, True)
    other = api.student()
    found = other.get("/api/spaces", params={"query": mark.upper()}).json()["data"]
    assert [(s["space_id"], s["is_member"], s["invite_code"]) for s in found] == [(space["space_id"], False, None)]
    joined = join(other, space).json()["data"]
    assert (joined["role"], joined["user_id"], joined["is_member"]) == ("member", other.user_id, True)
    assert members(other, space) == {student.user_id: "owner", other.user_id: "member"}
    session_id = other.start(25, space_id=space["space_id"])
    listed = {m["user_id"]: m for m in student.get(f"{path}/members").json()["data"]}
    assert listed[other.user_id]["is_studying"] is True
    assert listed[student.user_id]["is_studying"] is False
    other.complete(session_id)
    assert other.get("/api/spaces/mine").json()["data"][0]["space_id"] == space["space_id"]
    assert other.get(f"{path}/membership").json()["data"] | {} == {
        "space_id": space["space_id"], "is_member": True, "role": "member",
    }  # fmt: skip
    assert other.post(f"{path}/leave").status_code == 200
    assert other.post(f"{path}/leave").json()["data"]["is_member"] is False
    feed = student.get(f"{path}/activity").json()["data"]
    assert [(a["activity_type"], a["user_id"]) for a in feed] == [
        ("left", other.user_id), ("badge_earned", other.user_id), ("session_completed", other.user_id),
        ("session_started", other.user_id), ("joined", other.user_id), ("joined", student.user_id),
    ]  # fmt: skip
    assert student.delete(path).json()["data"]["deleted"] is True
    assert_problem(student.get(path), 404, "NOT_FOUND")
    assert other.get(f"/api/sessions/{session_id}").json()["data"]["space_id"] is None


def test_capacity_is_never_exceeded(api: Api, student: Student, sql: psycopg.Connection[Any]) -> None:
    """Of 40 simultaneous joins for the last 5 places 5 succeed and 35 are clean conflicts."""
    space = create(student, capacity=6)
    crowd = [api.student() for _ in range(40)]
    path = f"/api/spaces/{space['space_id']}/join"
    responses = api.at_once([api.send("POST", path, token=one.token) for one in crowd])
    assert sorted(r.status_code for r in responses) == [200] * 5 + [409] * 35
    for response in responses:
        if response.status_code == 409:
            assert_problem(response, 409, "SPACE_FULL")
    assert len(members(student, space)) == 6
    count = sql.execute("select member_count from spaces where space_id = %s", [space["space_id"]]).fetchone()
    assert count == (6,)


def test_joining_twice_is_one_membership(api: Api, student: Student) -> None:
    """A repeated join, simultaneous or later, gets the same answer and adds one feed entry."""
    space, other = create(student), api.student()
    path = f"/api/spaces/{space['space_id']}/join"
    responses = api.at_once([api.send("POST", path, token=other.token) for _ in range(10)])
    assert {r.status_code for r in responses} == {200}
    assert len({r.text for r in responses}) == 1
    assert join(other, space).text == responses[0].text
    feed = student.get(f"/api/spaces/{space['space_id']}/activity").json()["data"]
    assert [a["user_id"] for a in feed] == [other.user_id, student.user_id]


def test_a_private_space_opens_to_its_code(api: Api, student: Student) -> None:
    """A private space opens by id and code, or by the code alone, in lower case and with dashes too."""
    space = create(student, visibility="private")
    code = space["invite_code"]
    assert len(code) >= 13
    assert join(api.student(), space, code=True).status_code == 200
    typed = f"{code[:5]}-{code[5:]}".lower()
    assert api.student().post("/api/spaces/join", {"invite_code": typed}).json()["data"]["role"] == "member"
    assert_problem(api.student().post("/api/spaces/join", {"invite_code": "0" * 14}), 404, "NOT_FOUND")
    wrong = {**space, "invite_code": "0" * 14}
    assert_problem(join(api.student(), wrong, code=True), 404, "NOT_FOUND")


def test_a_renewed_code_kills_the_old_one(api: Api, student: Student) -> None:
    """After a renewal only the new code opens the space."""
    space = create(student, visibility="private")
    renewed = student.post(f"/api/spaces/{space['space_id']}/invite-code").json()["data"]["invite_code"]
    assert renewed != space["invite_code"]
    other = api.student()
    assert_problem(other.post("/api/spaces/join", {"invite_code": space["invite_code"]}), 404, "NOT_FOUND")
    assert other.post("/api/spaces/join", {"invite_code": renewed}).status_code == 200


def test_a_space_has_its_own_leaderboard(api: Api, student: Student, sql: Any, clock: Any) -> None:
    """Only sessions in the space count on its board; a member who leaves is removed and returns after rejoining."""
    space, other = create(student), api.student()
    join(other, space)
    params = {"space_id": space["space_id"]}
    completed_session(sql, student.user_id, clock.now(), 30)
    completed_session(sql, student.user_id, clock.now(), 10, space["space_id"])
    completed_session(sql, other.user_id, clock.now(), 25, space["space_id"])

    def board() -> list[tuple[str, int, int]]:
        cache_manager.clear()
        data = student.get("/api/gamification/leaderboard/weekly", params=params).json()["data"]
        return [(entry["user_id"], entry["rank"], entry["xp"]) for entry in data["entries"]]

    both = [(other.user_id, 1, 35), (student.user_id, 2, 10)]
    assert board() == both
    other.post(f"/api/spaces/{space['space_id']}/leave")
    assert board() == [(student.user_id, 1, 10)]
    join(other, space)
    assert board() == both


def test_the_feed_is_paged(api: Api, student: Student) -> None:
    """The feed's pages have every entry once, newest first."""
    space = create(student)
    for _ in range(4):
        join(api.student(), space)
    found, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = student.get(f"/api/spaces/{space['space_id']}/activity", params=params).json()
        found += [entry["activity_id"] for entry in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert len(found) == 5
    assert found == sorted(found, reverse=True)


def test_discovery_is_paged_and_searched(api: Api, student: Student) -> None:
    """Public spaces are paged; short queries match prefixes, and wildcards are literal."""
    mark = uuid.uuid4().hex
    ids = [create(student, name=f"{mark} {n}")["space_id"] for n in range(5)]
    create(student, name=f"{mark} hidden", visibility="private")
    found, cursor = [], None
    while True:
        params = {"query": mark[4:], "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = api.student().get("/api/spaces", params=params).json()
        found += [space["space_id"] for space in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ids[::-1]
    assert student.get("/api/spaces", params={"query": f"{mark}%"}).json()["data"] == []
    short = student.get("/api/spaces", params={"query": mark[:2], "limit": 100}).json()["data"]
    assert set(ids) <= {space["space_id"] for space in short}
    assert all(space["name"].lower().startswith(mark[:2]) for space in short)
    for params in ({"limit": 5}, {"limit": 5, "query": ""}):
        newest = student.get("/api/spaces", params=params).json()  # all that are public
        assert [space["space_id"] for space in newest["data"]] == ids[::-1]
    more = student.get("/api/spaces", params={"limit": 2}).json()
    rest = student.get("/api/spaces", params={"limit": 3, "cursor": more["next_cursor"]}).json()["data"]
    assert [space["space_id"] for space in more["data"] + rest] == ids[::-1]
    own = student.get("/api/spaces/mine", params={"limit": 4}).json()
    assert (len(own["data"]), own["next_cursor"] is not None) == (4, True)


@pytest.mark.parametrize(
    ("changes", "location"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "   "}, "body.name"),
        ({"name": "x" * 81}, "body.name"),
        ({"name": "\u200b\u2060"}, "body.name"),
        ({"name": "\u3164"}, "body.name"),
        ({"name": "a\u202eb"}, "body.name"),
        ({"name": "a\0b"}, "body.name"),
        ({"name": None}, "body.name"),
        ({"visibility": "secret"}, "body.visibility"),
        ({"visibility": None}, "body.visibility"),
        ({"capacity": 1}, "body.capacity"),
        ({"capacity": 501}, "body.capacity"),
        ({"capacity": "many"}, "body.capacity"),
        ({"description": "x" * 1001}, "body.description"),
        ({"owner_id": str(uuid.uuid4())}, "body.owner_id"),
    ],
)
def test_bad_spaces_are_not_made(student: Student, changes: dict[str, Any], location: str) -> None:
    """Each bad field is named, on creation and on update, and nothing is stored."""
    body = {"name": "Fine", "visibility": "public", **changes}
    problem = assert_problem(student.post("/api/spaces/create", body), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == location
    assert student.get("/api/spaces/mine").json()["data"] == []
    space = create(student)
    path = f"/api/spaces/{space['space_id']}"
    assert_problem(student.patch(path, changes), 400, "VALIDATION_ERROR")
    assert student.get(path).json()["data"] == space


def test_capacity_cannot_fall_below_the_members(api: Api, student: Student) -> None:
    """Capacity cannot be set below the number of members."""
    space = create(student)
    for _ in range(2):
        join(api.student(), space)
    response = student.patch(f"/api/spaces/{space['space_id']}", {"capacity": 2})
    assert assert_problem(response, 409, "CONFLICT")["details"]["member_count"] == 3
    assert student.patch(f"/api/spaces/{space['space_id']}", {"capacity": 3}).status_code == 200
    assert_problem(join(api.student(), space), 409, "SPACE_FULL")


def test_ids_of_spaces_and_members_are_checked(student: Student) -> None:
    """A malformed id is a 400; a deleted space and a user who is not a member are a 404."""
    assert_problem(student.get("/api/spaces/mine2"), 400, "VALIDATION_ERROR")
    space = create(student)
    path = f"/api/spaces/{space['space_id']}"
    assert_problem(student.delete(f"{path}/members/somebody"), 400, "VALIDATION_ERROR")
    assert_problem(student.delete(f"{path}/members/{uuid.uuid4()}"), 404, "NOT_FOUND")
    assert_problem(student.delete(f"{path}/members/{uuid.uuid4()}", params={"ban": True}), 404, "NOT_FOUND")
    student.delete(path)
    assert_problem(student.post(f"{path}/join"), 404, "NOT_FOUND")
    assert_problem(student.post("/api/spaces/join", {"invite_code": space["invite_code"]}), 404, "NOT_FOUND")


def test_a_banned_member_does_not_appear_in_the_feed_any_more(api: Api, student: Student) -> None:
    """A session that started in the space and ended after the ban is not shown in its feed."""
    space, other = create(student), api.student()
    join(other, space)
    session_id = other.start(25, space_id=space["space_id"])
    student.delete(f"/api/spaces/{space['space_id']}/members/{other.user_id}", params={"ban": True})
    other.complete(session_id)
    feed = student.get(f"/api/spaces/{space['space_id']}/activity").json()["data"]
    assert feed[0]["activity_type"] == "left"


def test_creating_may_be_repeated_with_its_key(student: Student) -> None:
    """A repeat with the same Idempotency-Key creates one space, though the server chooses its id."""
    headers, body = {"Idempotency-Key": "space-1"}, {"name": "Once", "visibility": "public"}
    answers = [student.post("/api/spaces/create", body, headers=headers).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(student.get("/api/spaces/mine").json()["data"]) == 1


def test_the_feed_goes_back_90_days(api: Api, student: Student, clock: DatabaseClock) -> None:
    """The scheduled purge deletes feed entries older than 90 days and nothing else."""
    from health.operations.schedules import purge_trails

    space = create(student)
    clock.advance(days=89)
    join(api.student(), space)
    api.run(purge_trails())
    path = f"/api/spaces/{space['space_id']}/activity"
    assert len(student.get(path).json()["data"]) == 2
    clock.advance(days=2)
    api.run(purge_trails())
    assert [entry["user_id"] == student.user_id for entry in student.get(path).json()["data"]] == [False]
