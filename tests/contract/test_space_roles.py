"""Who can do what in a space, and who must not learn that it exists."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from testing.client import Api, Student, assert_problem
from testing.spaces import create, join, members


def test_a_private_space_does_not_exist_for_outsiders(api: Api, student: Student) -> None:
    """For an outsider every answer about a private space equals that for a space that does not exist."""
    mark = uuid.uuid4().hex
    space, outsider, banned = create(student, visibility="private", name=mark), api.student(), api.student()
    join(banned, space, code=True)
    student.delete(f"/api/spaces/{space['space_id']}/members/{banned.user_id}", params={"ban": True})
    for stranger in (outsider, banned):
        for method, path, options in _every_call(stranger.user_id):
            answers = []
            for space_id in (space["space_id"], str(uuid.uuid4())):
                response = api.request(
                    method, path.replace("ID", space_id), token=stranger.token, **_with(options, space_id)
                )
                body = assert_problem(response, 404, "NOT_FOUND")
                answers.append({k: v for k, v in body.items() if k not in ("instance", "request_id")})
            assert answers[0] == answers[1], (method, path)
        assert stranger.get("/api/spaces", params={"query": mark}).json()["data"] == []
        start = stranger.post("/api/sessions/start", {"duration_minutes": 25, "space_id": space["space_id"]})
        assert_problem(start, 404, "NOT_FOUND")
    # The banned user's code has expired; with the new code they are told about the ban.
    assert_problem(join(banned, space, code=True), 404, "NOT_FOUND")
    space = student.get(f"/api/spaces/{space['space_id']}").json()["data"]
    assert_problem(join(banned, space, code=True), 403, "AUTHORIZATION_ERROR")
    assert_problem(banned.post("/api/spaces/join", {"invite_code": space["invite_code"]}), 403, "AUTHORIZATION_ERROR")


def _every_call(member_id: str) -> list[tuple[str, str, dict[str, Any]]]:
    base = "/api/spaces/ID"
    return [
        ("GET", base, {}),
        ("GET", f"{base}/members", {}),
        ("GET", f"{base}/membership", {}),
        ("GET", f"{base}/activity", {}),
        ("GET", "/api/gamification/leaderboard/weekly", {"params": {"space_id": "ID"}}),
        ("PATCH", base, {"json": {"capacity": 40}}),
        ("DELETE", base, {}),
        ("POST", f"{base}/join", {}),
        ("POST", f"{base}/leave", {}),
        ("POST", f"{base}/invite-code", {}),
        ("PATCH", f"{base}/members/{member_id}", {"json": {"role": "moderator"}}),
        ("DELETE", f"{base}/members/{member_id}", {}),
    ]


def _with(options: dict[str, Any], space_id: str) -> dict[str, Any]:
    return {**options, "params": {"space_id": space_id}} if "params" in options else options


ROLES = ["nobody", "outsider", "banned", "member", "moderator", "owner"]

# What each role gets on a public space; the targets of the last three are another member.
MATRIX: list[tuple[str, str, dict[str, Any], list[int]]] = [
    ("GET", "", {}, [401, 200, 200, 200, 200, 200]),
    ("GET", "/membership", {}, [401, 200, 200, 200, 200, 200]),
    ("GET", "/members", {}, [401, 403, 403, 200, 200, 200]),
    ("GET", "/activity", {}, [401, 403, 403, 200, 200, 200]),
    ("GET", "LEADERBOARD", {}, [401, 403, 403, 200, 200, 200]),
    ("POST", "START", {}, [401, 403, 403, 201, 201, 201]),
    ("POST", "/join", {}, [401, 200, 403, 200, 200, 200]),
    ("POST", "/leave", {}, [401, 200, 200, 200, 200, 409]),
    ("PATCH", "", {"json": {"description": "new"}}, [401, 403, 403, 403, 200, 200]),
    ("POST", "/invite-code", {}, [401, 403, 403, 403, 403, 200]),
    ("DELETE", "", {}, [401, 403, 403, 403, 403, 200]),
    ("PATCH", "/members/TARGET", {"json": {"role": "member"}}, [401, 403, 403, 403, 200, 200]),
    ("PATCH", "/members/TARGET", {"json": {"role": "moderator"}}, [401, 403, 403, 403, 403, 200]),
    ("PATCH", "/members/TARGET", {"json": {"role": "owner"}}, [401, 403, 403, 403, 403, 200]),
    ("DELETE", "/members/TARGET", {}, [401, 403, 403, 403, 200, 200]),
    ("DELETE", "/members/MODERATOR", {}, [401, 403, 403, 403, 403, 200]),
    ("DELETE", "/members/OWNER", {}, [401, 403, 403, 403, 403, 409]),
]


@pytest.mark.parametrize(("method", "path", "options", "expected"), MATRIX, ids=str)
def test_who_may_do_what(api: Api, method: str, path: str, options: dict[str, Any], expected: list[int]) -> None:
    """Every role is tried with every action, each on a fresh space."""
    cast = [api.student() for _ in range(3)]
    for role, status in zip(ROLES, expected, strict=True):
        response = _as(cast, role, method, path, options)
        assert response.status_code == status, (role, method, path, response.text)
        if status == 403:
            assert_problem(response, 403, "AUTHORIZATION_ERROR")


def _as(cast: list[Student], role: str, method: str, path: str, options: dict[str, Any]) -> Any:
    owner, target, moderator = cast
    api, actor = owner.api, owner.api.student()
    space = create(owner)
    base = f"/api/spaces/{space['space_id']}"
    for student in (target, moderator, actor):
        if student is not actor or role not in ("nobody", "outsider", "owner"):
            assert join(student, space).status_code == 200
    for student in (moderator, *([actor] if role == "moderator" else [])):
        owner.patch(f"{base}/members/{student.user_id}", {"role": "moderator"})
    if role == "banned":
        owner.delete(f"{base}/members/{actor.user_id}", params={"ban": True})
    token = {"nobody": None, "owner": owner.token}.get(role, actor.token)
    if path == "START":
        body = {"duration_minutes": 25, "space_id": space["space_id"]}
        return api.request(method, "/api/sessions/start", token=token, json=body)
    if path == "LEADERBOARD":
        params = {"space_id": space["space_id"]}
        return api.request(method, "/api/gamification/leaderboard/weekly", token=token, params=params)
    for name, student in (("TARGET", target), ("MODERATOR", moderator), ("OWNER", owner)):
        path = path.replace(name, student.user_id)
    return api.request(method, base + path, token=token, **options)


def test_the_code_is_shown_to_those_who_invite(api: Api, student: Student) -> None:
    """Owner and moderators see the invite code; members and outsiders do not."""
    space, other = create(student), api.student()
    path = f"/api/spaces/{space['space_id']}"
    assert other.get(path).json()["data"]["invite_code"] is None
    join(other, space)
    assert other.get(path).json()["data"]["invite_code"] is None
    student.patch(f"{path}/members/{other.user_id}", {"role": "moderator"})
    assert other.get(path).json()["data"]["invite_code"] == space["invite_code"]


def test_handing_over_makes_one_new_owner(api: Api, student: Student) -> None:
    """The former owner becomes a moderator and can now leave."""
    space, heir = create(student), api.student()
    path = f"/api/spaces/{space['space_id']}"
    join(heir, space)
    assert_problem(student.post(f"{path}/leave"), 409, "OWNER_MUST_HAND_OVER")
    assert student.patch(f"{path}/members/{heir.user_id}", {"role": "owner"}).json()["data"]["role"] == "owner"
    assert members(heir, space) == {student.user_id: "moderator", heir.user_id: "owner"}
    assert student.post(f"{path}/leave").status_code == 200
    assert heir.post(f"{path}/leave").status_code == 200
    assert_problem(heir.get(path), 404, "NOT_FOUND")


def test_a_deleted_account_leaves_its_spaces_in_order(api: Api, student: Student) -> None:
    """A deleted owner's spaces pass to the longest-standing moderator, else member; an empty space is deleted."""
    led, plain, lonely = create(student), create(student), create(student)
    first, second = api.student(), api.student()
    for space in (led, plain):
        join(first, space)
        join(second, space)
    student.patch(f"/api/spaces/{led['space_id']}/members/{second.user_id}", {"role": "moderator"})
    assert student.delete("/api/users/me").status_code == 200
    assert members(first, led) == {first.user_id: "member", second.user_id: "owner"}
    assert members(first, plain) == {first.user_id: "owner", second.user_id: "member"}
    assert_problem(first.get(f"/api/spaces/{lonely['space_id']}"), 404, "NOT_FOUND")
    assert first.get(f"/api/spaces/{led['space_id']}").json()["data"]["member_count"] == 2


def test_nobody_acts_on_themselves(student: Student) -> None:
    """Nobody can change their own role or remove themselves; leaving is the way out."""
    space = create(student)
    path = f"/api/spaces/{space['space_id']}/members/{student.user_id}"
    assert_problem(student.patch(path, {"role": "member"}), 409, "CONFLICT")
    assert_problem(student.delete(path), 409, "CONFLICT")
    assert members(student, space) == {student.user_id: "owner"}


@pytest.mark.parametrize("role", ["admin", "", None, 1])
def test_roles_that_do_not_exist_are_refused(api: Api, student: Student, role: Any) -> None:
    """A role is one of member, moderator and owner."""
    space, other = create(student), api.student()
    join(other, space)
    response = student.patch(f"/api/spaces/{space['space_id']}/members/{other.user_id}", {"role": role})
    assert_problem(response, 400, "VALIDATION_ERROR")


def test_me_stands_for_the_caller_among_members(student: Student) -> None:
    """Wherever a path takes a user, `me` is accepted; acting on oneself is still refused."""
    space = create(student)
    assert_problem(student.delete(f"/api/spaces/{space['space_id']}/members/me"), 409, "CONFLICT")


def test_a_key_knows_the_query_too(api: Api, student: Student) -> None:
    """Removing and banning are two different requests, even under the same key."""
    space, other = create(student), api.student()
    join(other, space)
    path, headers = f"/api/spaces/{space['space_id']}/members/{other.user_id}", {"Idempotency-Key": "remove"}
    assert student.delete(path, headers=headers).status_code == 200
    assert student.delete(path, headers=headers).status_code == 200
    banning = student.delete(path, params={"ban": True}, headers=headers)
    assert_problem(banning, 422, "IDEMPOTENCY_KEY_REUSED")
