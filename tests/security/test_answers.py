"""No answer exceeds Lambda's limit, whatever the request contains."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import pytest

from testing.client import Api, Student, assert_problem, openapi
from testing.operations import ALL, WITH_BODY, Operation

pytestmark = pytest.mark.slow

JSON = {"Content-Type": "application/json"}
LARGEST_ERROR = 16 * 1024
URI_REFERENCE = re.compile(r"/(?!/)(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-F]{2})*")
LONG = "x" * 100_000
NAMES = {
    "long": [LONG, "y" * 50_000],
    "of quotes": ['"' * 9_000, "\\" * 9_000],
    "of four bytes": ["\U0001f4da" * 9_000],
    "of half characters": ["\ud83d" * 9_000],
    "of control characters": ["\0\n\r\x1b" * 9_000],
    "with dots": ["." * 9_000, "body.email"],
    "empty": ["", " "],
}


def send(student: Student, operation: Operation, body: Any) -> dict[str, Any]:
    """Send a body that is refused; returns the problem, which must be small."""
    content = json.dumps(body).encode()
    response = student.api.request(
        operation.method, operation.concrete(), token=operation.token(student), content=content, headers=JSON
    )
    assert len(response.content) < LARGEST_ERROR
    problem = assert_problem(response, 400, "VALIDATION_ERROR")
    json.dumps(problem).encode()
    return problem


@pytest.mark.parametrize("operation", WITH_BODY, ids=lambda operation: operation.name)
@pytest.mark.parametrize("number", [19, 20, 21, 130])
def test_the_first_wrong_fields_are_listed_and_all_are_counted(
    student: Student, operation: Operation, number: int
) -> None:
    """Twenty wrong fields are listed, known fields first, and all are counted."""
    details = send(student, operation, {f"f{n}": 0 for n in range(number)})["details"]
    schema = operation.body_schema
    assert schema is not None
    required = [f"body.{name}" for name in schema.get("required", [])]
    assert details["error_count"] == number + len(required)
    locations = [each["location"] for each in details["validation_errors"]]
    assert locations == [*required, *(f"body.f{n}" for n in range(number))][:20]


def test_an_answer_is_no_larger_for_85_000_wrong_fields(api: Api) -> None:
    """Such an answer once exceeded Lambda's limit at 5.8 MB, and clients saw a 500."""
    body = {"email": "ada@example.test", "password": "p"} | {f"f{n}": 0 for n in range(85_000)}
    response = api.post("/api/auth/login", body)
    assert len(response.content) < LARGEST_ERROR
    assert assert_problem(response, 400, "VALIDATION_ERROR")["details"]["error_count"] == 85_000


@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES)
def test_names_are_cut(student: Student, names: list[str]) -> None:
    """Long field names are truncated in errors, whatever their characters."""
    for operation in WITH_BODY:
        problem = send(student, operation, dict.fromkeys(names, 1))
        for error in problem["details"]["validation_errors"]:
            assert len(error["location"]) <= 120
            assert len(error["message"]) <= 300


def test_a_number_of_thousands_of_digits_is_not_repeated(student: Student) -> None:
    """A number of thousands of digits is not repeated, whether Python can parse it or not."""
    for digits in (4_000, 5_000, 1_000_000):
        for operation in WITH_BODY:
            content = b'{"duration_minutes":' + b"9" * digits + b"}"
            response = student.api.request(
                operation.method, operation.concrete(), token=operation.token(student), content=content, headers=JSON
            )
            assert response.status_code == 400
            assert len(response.content) < LARGEST_ERROR
            assert "9" * 20 not in response.text


PATHS = [
    "/api/" + "n" * 9_000, "/api/users/" + "é" * 3_000, "/api/users/" + "\U0001f4da" * 2_000, "//evil.example/x",
    "/api/users/<script>", '/api/users/"quoted"', "/api/users/a b", "/api/users/%", "/api/users/a?b#c", "/api/[::1]",
    "/api/users/\x7f\x01", "/api/users/{user_id}|^`\\",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: ascii(path[:30]))
def test_the_instance_is_a_short_uri_reference(api: Api, path: str) -> None:
    """The instance of an error is a short, valid URI reference without another host, however the path is spelled."""
    from health.app import app as health
    from users.app import app as users

    for app in (users, health):
        status, body = _raw(api, app, path)
        problem = json.loads(body)
        assert status in (401, 404)
        assert len(body) < LARGEST_ERROR
        assert URI_REFERENCE.fullmatch(problem["instance"]), problem["instance"]


def _raw(api: Api, app: Any, path: str, headers: list[tuple[bytes, bytes]] | None = None) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send_on(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "GET", "scheme": "http", "path": path, "query_string": b"",
        "raw_path": path.encode(), "root_path": "", "headers": headers or [], "client": ("raw", 1),
        "server": ("api.test", 80),
    }  # fmt: skip
    api.run(app(scope, receive, send_on))
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize("name", ["X-Request-Id", "Idempotency-Key", "Authorization", "traceparent", "If-None-Match"])
def test_headers_are_not_echoed(student: Student, name: str) -> None:
    """A header value of thousands of characters is repeated in no body and no header."""
    for operation in ALL:
        if "operations" in operation.spec["tags"] or operation.method == "DELETE":
            continue
        headers = {"Authorization": f"Bearer {student.token}", name: "v" * 8_000}
        response = student.api.request(operation.method, operation.concrete(), headers=headers)
        assert "v" * 200 not in response.text
        assert not [value for value in response.headers.values() if "v" * 200 in value]


def test_long_queries_are_not_echoed(student: Student) -> None:
    """Long query values are not repeated, in known and unknown parameters of every operation."""
    refused = 0
    for operation in ALL:
        names = [*operation.parameters("query"), "unknown", "n" * 2_000]
        for name in names if operation.method == "GET" else []:
            response = student.get(operation.concrete(), params={name: "q" * 5_000})
            assert response.status_code < 500
            if response.status_code >= 400:
                refused += 1
                assert len(response.content) < LARGEST_ERROR
                assert "q" * 200 not in response.text
    assert refused


EVENTS = {
    "empty": {},
    "text": "x" * 5_000,
    "list": [[["x" * 5_000]]],
    "type": {"session_id": str(uuid.uuid4()), "event_type": '"' * 2_500, "created_at": "2026-01-31T12:00:00Z"},
    "session": {"session_id": '"' * 2_500, "event_type": "start", "created_at": "2026-01-31T12:00:00Z"},
    "time": {"session_id": str(uuid.uuid4()), "event_type": "start", "created_at": "2026-01-31T" + "0" * 5_000},
    "name": {"x" * 2_000: 1, "event_payload": {"y" * 3_000: 1}},
    "digits": {"session_id": 10**1_500, "event_type": 10**1_500, "created_at": 10**1_500},
}


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_a_batch_of_rubbish_has_a_bounded_answer(student: Student, event: Any) -> None:
    """A batch of 500 malformed events has one small result per event, below half a megabyte in all."""
    response = student.post("/api/sync/offline", {"events": [event] * 500})
    assert response.status_code == 200
    assert len(response.json()["data"]["results"]) == 500
    assert max(len(each["message"] or "") for each in response.json()["data"]["results"]) <= 500
    assert len(response.content) < 500_000


def test_the_document_says_how_errors_are_bounded() -> None:
    """Clients generated from the document know these limits."""
    schemas = openapi()["components"]["schemas"]
    assert schemas["ErrorDetails"]["properties"]["validation_errors"]["maxItems"] == 20
    assert "error_count" in schemas["ErrorDetails"]["properties"]
    assert schemas["ProblemDetails"]["properties"]["instance"]["format"] == "uri-reference"
