"""Every operation with another user's ids: nothing private is shown, and nothing is changed.

Operations come from the OpenAPI document and tables from the catalogue, so that a new one is covered by itself.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest

from testing.client import Api, Student, assert_problem
from testing.operations import PROTECTED, WITH_BODY, Operation

# What students may know of each other (the contract); every other access to another user's data is a 403 or 404.
PUBLIC = {
    "GET /api/users/{user_id}",
    "GET /api/gamification/xp/{user_id}",
    "GET /api/gamification/badges/{user_id}",
    "GET /api/gamification/streaks/{user_id}",
}
WITH_IDS = [each for each in PROTECTED if set(each.parameters("path")) - {"period"}]
TABLES = """select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid
            where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not a.attisdropped
              and a.attname in ('user_id', 'owner_id', 'created_by', 'space_id') order by 1, 2"""


@dataclass
class Victim:
    """A victim with data of every kind, and the ids of that data."""

    student: Student
    ids: dict[str, str]

    def state(self, sql: psycopg.Connection[Any]) -> dict[str, list[tuple[Any, ...]]]:
        """Every row that names the victim or the victim's space, by table and column."""
        found = {}
        for table, column in sql.execute(TABLES).fetchall():
            mine = self.ids["space_id"] if column == "space_id" else self.student.user_id
            query = f"select t::text from public.{table} t where {column} = %s order by 1"
            found[f"{table}.{column}"] = sql.execute(query, [mine]).fetchall()
        assert sum(map(len, found.values())) > 10
        return found


@pytest.fixture(scope="module")
def victim(api: Api) -> Victim:
    """A student with a private space, a running session, XP and a rejected event."""
    student, guest = api.student(display_name="Victim"), api.student()
    space = student.post("/api/spaces/create", {"name": "Private", "visibility": "private"}).json()["data"]
    guest.post("/api/spaces/join", {"invite_code": space["invite_code"]})
    student.complete(student.start(space_id=space["space_id"]))
    event = {"event_id": str(uuid.uuid4()), "session_id": str(uuid.uuid4()), "event_type": "nonsense"}
    student.post("/api/sync/offline", {"events": [event]})
    ids = {
        "user_id": student.user_id, "space_id": space["space_id"], "event_id": event["event_id"],
        "session_id": student.start(space_id=space["space_id"]),
        "auth_session_id": student.get("/api/auth/sessions").json()["data"][0]["session_id"],
    }  # fmt: skip
    return Victim(student, ids)


@pytest.fixture
def attacker(api: Api) -> Student:
    return api.student()


def attack(attacker: Student, operation: Operation, ids: dict[str, str]) -> httpx.Response:
    body = operation.body()
    options = {} if body is None else {"json": body}
    return attacker.api.request(operation.method, operation.concrete(**ids), token=attacker.token, **options)


@pytest.fixture
def unchanged(victim: Victim, sql: psycopg.Connection[Any]) -> Iterator[None]:
    """Nothing of the victim's data differs after the test."""
    before = victim.state(sql)
    yield
    assert victim.state(sql) == before


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("operation", WITH_IDS, ids=lambda operation: operation.name)
def test_ids_of_others_open_nothing(attacker: Student, victim: Victim, operation: Operation) -> None:
    """Each operation with an id in its path refuses another user's id, or shows only public data."""
    response = attack(attacker, operation, victim.ids)
    if operation.name in PUBLIC:
        assert response.status_code == 200
        shown = response.text
        assert victim.student.email not in shown
        assert not {"email", "timezone", "daily_goal_minutes"} & response.json()["data"].keys()
        return
    assert response.status_code in (403, 404), response.text
    if "session_id" in operation.path or "event_id" in operation.path or "space_id" in operation.path:
        # The answer equals that for an id that does not exist.
        nothing = attack(attacker, operation, {})
        keys = ("status", "error_code", "message", "details")
        assert [response.json().get(key) for key in keys] == [nothing.json().get(key) for key in keys]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("field", ["user_id", "created_by"])
@pytest.mark.parametrize("operation", [each for each in WITH_BODY if each in PROTECTED], ids=lambda each: each.name)
def test_bodies_speak_for_nobody_else(attacker: Student, victim: Victim, operation: Operation, field: str) -> None:
    """A body with another user's user_id is a 403 wherever a body is accepted."""
    body = {**(operation.body() or {}), field: victim.student.user_id}
    response = attacker.api.request(operation.method, operation.concrete(), token=attacker.token, json=body)
    assert_problem(response, 403, "AUTHORIZATION_ERROR")


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("operation", PROTECTED, ids=lambda operation: operation.name)
def test_ids_of_others_in_queries_and_bodies(attacker: Student, victim: Victim, operation: Operation) -> None:
    """Another user's space, session or event in a query or body is not accessible either."""
    query = {name: victim.ids[name] for name in operation.parameters("query") if name in victim.ids}
    schema = operation.body_schema or {"properties": {}}
    named = {name: victim.ids[name] for name in schema["properties"] if name in victim.ids and name != "user_id"}
    if not query and not named:
        return
    body = {**(operation.body() or {}), **named}
    options = {"json": body} if operation.body_schema else {}
    response = attacker.api.request(
        operation.method, operation.concrete(), params=query, token=attacker.token, **options
    )
    assert response.status_code in (403, 404, 409), response.text
    assert victim.student.username not in response.text


@pytest.mark.usefixtures("unchanged")
def test_a_kept_leaderboard_page_opens_nothing(attacker: Student, victim: Victim) -> None:
    """A member's page is cached, but a user who is not a member gets none of it."""
    board = f"/api/gamification/leaderboard/weekly?space_id={victim.ids['space_id']}"
    assert victim.student.get(board).status_code == 200
    assert_problem(attacker.get(board), 404, "NOT_FOUND")


@pytest.mark.usefixtures("unchanged")
def test_events_of_others_are_not_learned_of(api: Api, attacker: Student, victim: Victim) -> None:
    """A batch with another user's event and session ids is answered like one with unknown ids."""
    now = datetime.now(UTC).isoformat()
    told = []
    for student, ids in ((attacker, victim.ids), (api.student(), {})):
        event = {name: ids.get(name, str(uuid.uuid4())) for name in ("event_id", "session_id")}
        batch = {"events": [{**event, "event_type": "heartbeat", "created_at": now}]}
        (result,) = student.post("/api/sync/offline", batch).json()["data"]["results"]
        told.append({name: result[name] for name in ("status", "error_code", "message")})
    assert told[0] == told[1]
    assert told[0]["status"] == "rejected"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/sessions/start", {"duration_minutes": 25}),
        ("/api/spaces/create", {"name": "Keyed", "visibility": "private"}),
        ("/api/sync/offline", {"events": [{"session_id": str(uuid.UUID(int=9)), "event_type": "start"}]}),
    ],
)
def test_an_idempotency_key_is_ones_own(api: Api, path: str, body: dict[str, Any]) -> None:
    """The same key and request from another user is a separate request with its own answer."""
    headers = {"Idempotency-Key": str(uuid.uuid4())}
    first, second = api.student(), api.student()
    answers = [student.post(path, body, headers=headers).json()["data"] for student in (first, second, first)]
    assert answers[0] == answers[2]
    ids = [name for name in ("session_id", "space_id", "invite_code", "cursor") if answers[0].get(name)]
    assert ids
    for name in ids:
        assert answers[0][name] != answers[1][name]


def test_cursors_of_others_show_nothing_of_theirs(attacker: Student, victim: Victim) -> None:
    """A cursor of a private list is useless to another user."""
    victim.student.patch("/api/users/me", {"daily_goal_minutes": 61})
    tried = 0
    for path in ("/api/users/me/audit", "/api/sync/changes", "/api/sessions", "/api/gamification/xp/history/me"):
        cursor = victim.student.get(path, params={"limit": 1}).json()["next_cursor"]
        if cursor is None:
            continue
        tried += 1
        assert_problem(attacker.get(path, params={"cursor": cursor}), 400, "VALIDATION_ERROR")
        assert victim.student.get(path, params={"cursor": cursor}).status_code == 200
    assert tried >= 2
