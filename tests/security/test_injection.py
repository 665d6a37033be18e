"""SQL, PostgREST filters and JSON operators through every parameter of every operation.

Requests come from the OpenAPI document. Every value is either refused or taken literally: no 5xx, no row of
another user's, and an unchanged database.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student
from testing.operations import PROTECTED, WITH_BODY, Operation, resolved
from testing.timeline import violations

pytestmark = pytest.mark.slow

SQL = [
    "' or '1'='1",
    "'; drop table profiles; --",
    '"; delete from xp_ledger; --',
    "$$; select pg_sleep(9); $$",
    "\\'; select 1; --",
    "1) union select email, id::text from auth.users --",
    "%27%20or%201=1--",
    "x'||pg_sleep(9)||'",
]
POSTGREST = [
    "eq.1,or(user_id.not.is.null)",
    "not.is.null",
    "*&select=*,auth.users(*)",
    "in.(select user_id from profiles)",
    "me)&or=(user_id.gt.0",
    "{a,b}",
    "%",
    "_",
    "*",
]
OTHERS = ["{{7*7}}", "${jndi:ldap://127.0.0.1/x}", "../../../../etc/passwd", "; cat /etc/passwd", "\r\nX-Evil: 1", "\0"]
PAYLOADS = [*SQL, *POSTGREST, *OTHERS]
WATCHED = ("profiles", "user_stats", "xp_ledger", "study_sessions", "spaces", "space_members", "badges")


@pytest.fixture(scope="module")
def secret(api: Api) -> Student:
    """A victim whose rows nobody else may see."""
    student = api.student(display_name="Hidden 9d41")
    student.complete(student.start(subject="Hidden 9d41"))
    student.post("/api/spaces/create", {"name": "Hidden 9d41", "visibility": "private"})
    return student


@pytest.fixture(autouse=True)
def intact(sql: psycopg.Connection[Any], secret: Student) -> Iterator[None]:
    """The victim's data is unchanged after the test, and every table still exists."""

    def rows() -> list[Any]:
        return [
            sql.execute(f"select t::text from {table} t where user_id = %s order by 1", [secret.user_id]).fetchall()
            for table in WATCHED
            if table not in ("badges", "spaces")
        ]

    before = rows()
    yield
    assert rows() == before
    assert sql.execute("select count(*) from badges").fetchone() > (0,)


def _text(schema: dict[str, Any]) -> bool:
    return resolved(schema).get("type", "string") == "string"


def _send(student: Student, operation: Operation, secret: Student, **options: Any) -> None:
    path = options.pop("path", None) or operation.concrete()
    if operation.body_schema and "json" not in options:
        options["json"] = operation.body()
    response = student.api.request(operation.method, path, token=student.token, **options)
    assert response.status_code < 500, response.text
    assert response.elapsed.total_seconds() < 5, "it slept"
    for hidden in (secret.email, "Hidden 9d41", "root:x:"):
        assert hidden not in response.text
    assert "x-evil" not in response.headers


@pytest.mark.parametrize("operation", PROTECTED, ids=lambda operation: operation.name)
def test_parameters_are_values(student: Student, secret: Student, operation: Operation) -> None:
    """Parameters are literal values in the path, in the query, and in the one header that reaches the database."""
    for name in operation.parameters("path"):
        for payload in PAYLOADS:
            escaped = "".join(f"%{byte:02X}" for byte in payload.encode())
            _send(student, operation, secret, path=operation.concrete(**{name: escaped}))
    for name in operation.parameters("query"):
        for payload in PAYLOADS:
            _send(student, operation, secret, params={name: payload})
    for payload in PAYLOADS:
        if "idempotency-key" in operation.parameters("header") and payload.isprintable():
            _send(student, operation, secret, headers={"Idempotency-Key": payload})


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
def test_fields_are_values(student: Student, secret: Student, operation: Operation) -> None:
    """Values are literal in every text field of every body, and refused in every other field."""
    schema = operation.body_schema
    assert schema is not None
    for name, field in schema["properties"].items():
        payloads = PAYLOADS if _text(field) else [PAYLOADS[0], POSTGREST[0], {"$gt": ""}, [PAYLOADS[1]]]
        for payload in payloads:
            _send(student, operation, secret, json={**(operation.body() or {}), name: payload})


@pytest.mark.parametrize("name", ["event_id", "session_id", "event_type", "event_payload", "created_at", "other"])
def test_fields_of_events_are_values(student: Student, secret: Student, name: str) -> None:
    """A batch is checked event by event and stored as it was sent."""
    event = {"session_id": str(uuid.uuid4()), "event_type": "start", "created_at": "2026-01-31T12:00:00Z"}
    values: list[Any] = [*PAYLOADS, {"subject": SQL[0], "space_id": SQL[1]}, {SQL[2]: SQL[3]}]
    batch = {"events": [{**event, name: value} for value in values]}
    response = student.post("/api/sync/offline", batch)
    assert response.status_code == 200
    assert len(response.json()["data"]["results"]) == len(values)
    listed = student.get("/api/sync/rejected?limit=100")
    for hidden in (secret.email, "Hidden 9d41", "root:x:"):
        assert hidden not in response.text + listed.text


def test_unknown_parameters_reach_nothing(student: Student, secret: Student) -> None:
    """PostgREST's own parameters do not change any answer."""
    plain = student.get("/api/users", params={"query": student.username}).json()["data"]
    for more in ({"select": "*"}, {"or": "(user_id.not.is.null)"}, {"user_id": "not.is.null"}, {"order": "email"}):
        assert student.get("/api/users", params={"query": student.username, **more}).json()["data"] == plain
    sessions = student.get("/api/sessions", params={"user_id": secret.user_id, "p_user_id": secret.user_id})
    assert sessions.json()["data"] == []


@pytest.mark.parametrize("word", ["%", "_", "\\", "*", "' or 1=1 --", "a%' or '1'='1"])
def test_searches_find_what_was_written(student: Student, word: str) -> None:
    """Wildcards and quotes in a search match only themselves."""
    mark = uuid.uuid4().hex[:8]
    for name in (f"{mark}{word}", f"{mark}x"):
        student.post("/api/spaces/create", {"name": name, "visibility": "public"})
    found = student.get("/api/spaces", params={"query": f"{mark}{word}"}).json()["data"]
    assert [space["name"] for space in found] == [f"{mark}{word}"]


def test_stored_text_stays_text(api: Api, student: Student, sql: psycopg.Connection[Any]) -> None:
    """Stored SQL text comes back unchanged and does not affect later statements."""
    for payload in SQL:
        assert student.patch("/api/users/me", {"display_name": payload}).json()["data"]["display_name"] == payload
        session = student.start(subject=payload)
        assert student.get(f"/api/sessions/{session}").json()["data"]["subject"] == payload
        student.complete(session)
    assert violations(sql) == []
