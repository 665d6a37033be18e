"""Bodies that set protected fields, or are too large or too deep, and what errors repeat of them."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student, assert_problem
from testing.operations import ALL, PROTECTED, WITH_BODY, Operation, resolved

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
# Columns of the tables, claims of tokens, and fields that frameworks are known to accept.
PRIVILEGED = {
    "role": "owner", "is_admin": True, "admin": True, "total_xp": 10**6, "xp": 10**6, "level": 99, "xp_awarded": 10**6,
    "current_streak": 365, "focus_seconds": 10**6, "suspicion_score": 0, "flagged": False, "mode": "soft",
    "status": "completed", "started_at": "2020-01-01T00:00:00Z", "owner_id": "me", "member_count": 0,
    "email_confirm": True, "user_metadata": {"role": "admin"}, "app_metadata": {"role": "service_role"},
    "p_user_id": "me", "__proto__": {"admin": True}, "constructor": {}, "_method": "DELETE", "$where": "1",
}  # fmt: skip
WRITES = [each for each in ALL if each.method != "GET" and each.spec["tags"] != ["operations"]]


def send(student: Student, operation: Operation, **options: Any) -> Any:
    return student.api.request(operation.method, operation.concrete(), token=operation.token(student), **options)


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
def test_unknown_fields_are_refused(student: Student, sql: psycopg.Connection[Any], operation: Operation) -> None:
    """A field that the document does not name is refused, together with the rest of its body."""
    query = "select u::text, p::text from user_stats u join profiles p using (user_id) where user_id = %s"
    before = sql.execute(query, [student.user_id]).fetchone()
    schema = operation.body_schema
    assert schema is not None
    assert schema.get("additionalProperties") is False, "the document must say so as well"
    for name, value in PRIVILEGED.items():
        if name in schema["properties"]:
            continue
        response = send(student, operation, json={**(operation.body() or {}), name: value})
        problem = assert_problem(response, 400, "VALIDATION_ERROR")
        assert f"body.{name}" in [error["location"] for error in problem["details"]["validation_errors"]]
    assert sql.execute(query, [student.user_id]).fetchone() == before


def test_fields_of_an_event_set_nothing(student: Student) -> None:
    """Unknown fields of an event are ignored, because old phones send more than the contract has."""
    session = student.start()
    event = {"session_id": session, "event_type": "complete", "created_at": "2026-01-31T12:00:00Z"}
    more = {name: value for name, value in PRIVILEGED.items() if name != "user_id"}
    student.post("/api/sync/offline", {"events": [{**event, **more, "event_payload": more}]})
    profile = student.get("/api/users/me").json()["data"]
    assert (profile["xp"], profile["level"], profile["current_streak"]) == (0, 1, 0)


NESTED = [b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * 100_000]


@pytest.mark.parametrize("operation", WRITES, ids=lambda operation: operation.name)
def test_bodies_without_end_are_refused(student: Student, operation: Operation) -> None:
    """100,000 levels are a 400 and 7 MB a 413 on every operation that writes, and the service stays up."""
    for content in NESTED:
        response = send(student, operation, content=content, headers=JSON)
        if operation.body_schema is not None:
            assert_problem(response, 400, "INVALID_JSON")
        assert response.status_code < 500
    response = send(student, operation, content=b'{"a": "' + b"x" * 7_000_000 + b'"}', headers=JSON)
    assert_problem(response, 413, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("levels", [100, 480, 900, 5000])
@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
def test_depth_that_can_be_read_is_judged(student: Student, operation: Operation, levels: int) -> None:
    """Nesting just below the JSON parser's limit, in any field, gets an answer or an error of the contract."""
    schema = operation.body_schema
    assert schema is not None
    deep = '{"a":[' * (levels // 2) + '"x"' + "]}" * (levels // 2)
    for name in schema["properties"]:
        content = json.dumps({**(operation.body() or {}), name: "@"}).replace('"@"', deep)
        response = send(student, operation, content=content.encode(), headers=JSON)
        assert response.status_code < 500, (name, response.text)


@pytest.mark.parametrize(
    "content",
    [
        b'{"duration_minutes": 25, "duration_minutes": 99999}', b'{"duration_minutes": 1e999}',
        b'{"duration_minutes": NaN}', b'{"duration_minutes": 25.5}', b'{"duration_minutes": ' + b"9" * 5000 + b"}",
        b'{"duration_minutes": "25; drop"}', b'{"duration_minutes": -0.0}', b'{"duration_minutes": [25]}',
    ],
    ids=lambda content: content[:40].decode(),
)  # fmt: skip
def test_odd_numbers_are_judged_by_the_last_word(student: Student, content: bytes) -> None:
    """A duplicate field counts with its last value, and non-numbers such as NaN are refused."""
    response = student.api.request("POST", "/api/sessions/start", token=student.token, content=content, headers=JSON)
    assert response.status_code == 400


MARK = "S3CRET-MARK-77"


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
def test_errors_repeat_nothing(api: Api, student: Student, operation: Operation) -> None:
    """No error repeats the refused value, which may be a password."""
    schema = operation.body_schema
    assert schema is not None
    for name in schema["properties"]:
        for value in (MARK * 1000, [MARK], {MARK: MARK}, f"{MARK}\0"):
            response = send(student, operation, json={**(operation.body() or {}), name: value})
            if response.status_code >= 400:
                assert MARK not in response.text, name
    response = send(student, operation, content=json.dumps({"a": MARK})[:-1].encode(), headers=JSON)
    assert response.status_code == 400
    assert MARK not in response.text


WITH_QUERY = [operation for operation in PROTECTED if operation.parameters("query")]


@pytest.mark.parametrize("operation", WITH_QUERY, ids=lambda operation: operation.name)
def test_errors_of_queries_repeat_nothing(student: Student, operation: Operation) -> None:
    """No error repeats a refused query parameter."""
    refused = 0
    for name, schema in operation.parameters("query").items():
        value = MARK * 100 if resolved(schema).get("type") == "string" else MARK
        response = send(student, operation, params={name: value})
        if response.status_code >= 400:
            refused += 1
            assert MARK not in response.text
    assert refused
