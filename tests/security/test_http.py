"""Attacks by means of HTTP itself: headers, hosts, methods, paths, duplicate parameters and origins."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.types import Message

from local.gateway.cors import decorate, preflight
from local.gateway.responses import HttpResponse
from local.template import Template
from testing.client import Api, Student, assert_problem

ROOT = Path(__file__).parents[2]
UNICODE = [b"\xe2\x80\xa8X-Evil: 1", "\u560a\u560dX-Evil: 1".encode()]
BREAKS = [b"a\r\nX-Evil: 1", b"a\nX-Evil: 1", b"a\rX-Evil: 1", b"a%0d%0aX-Evil: 1", b"a\0b", b"a\x0bb", *UNICODE]


def raw(
    api: Api, path: str, headers: list[tuple[bytes, bytes]], method: str = "GET"
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Call the users app with headers and a path that no ordinary client would send."""
    from users.app import app

    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": method, "scheme": "http", "path": path, "query_string": b"",
        "raw_path": path.encode(), "root_path": "", "headers": headers, "client": ("raw", 1),
        "server": ("api.test", 80),
    }  # fmt: skip
    api.run(app(scope, receive, send))
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return sent[0]["status"], dict(sent[0]["headers"]), body


@pytest.mark.parametrize("value", BREAKS, ids=repr)
@pytest.mark.parametrize(
    "name", [b"x-request-id", b"traceparent", b"origin", b"host", b"idempotency-key", b"user-agent"]
)
def test_values_do_not_become_headers(api: Api, caplog: pytest.LogCaptureFixture, name: bytes, value: bytes) -> None:
    """A line break in a value is repeated neither in the answer nor in the log."""
    status, headers, body = raw(api, "/api/users/me", [(name, value)])
    assert status == 401
    assert b"x-evil" not in {each.lower() for each in headers}
    for each in (*headers.values(), body):
        assert b"X-Evil" not in each
    assert caplog.records
    assert "X-Evil" not in str([vars(record) for record in caplog.records])


def test_the_host_is_never_repeated(api: Api, student: Student) -> None:
    """Links and errors never repeat the Host header."""
    for name in ("Host", "X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"):
        for path in ("/api/users/me", "/nowhere", "/api/docs", "/health"):
            response = student.get(path, headers={name: "evil.example"})
            assert "evil.example" not in response.text + str(response.headers)


@pytest.mark.parametrize(
    "headers",
    [{"X-HTTP-Method-Override": "DELETE"}, {"X-HTTP-Method": "DELETE"}, {"X-Method-Override": "DELETE"}],
    ids=str,
)
def test_methods_are_what_they_are(student: Student, headers: dict[str, str]) -> None:
    """No header or parameter turns one method into another."""
    assert student.get("/api/users/me", headers=headers).status_code == 200
    assert_problem(student.post("/api/users/me", headers=headers), 405, "METHOD_NOT_ALLOWED")
    assert_problem(student.post("/api/users/me?_method=DELETE", headers=headers), 405, "METHOD_NOT_ALLOWED")
    assert student.get("/api/users/me").status_code == 200


@pytest.mark.parametrize("method", ["PUT", "TRACE", "CONNECT", "PROPFIND", "get", "DELETE "])
def test_other_methods_do_nothing(api: Api, student: Student, method: str) -> None:
    """Unknown methods, and known ones in another case, have no effect."""
    headers = [(b"authorization", f"Bearer {student.token}".encode())]
    status, _, _ = raw(api, "/api/users/me", headers, method)
    assert status == 405
    assert student.get("/api/users/me").status_code == 200


LOOKALIKES = [
    "https://app.example.com.evil.example", "https://evil.example", "http://app.example.com", "null", "", "*",
    "https://app.example.com:8443", "https://xapp.example.com", "https://app.example.com@evil.example",
]  # fmt: skip
PATHS = [
    "//api/users/me", "/api//users/me", "/api/users//me", "/api/users/me//", "/api/./users/me", "/api/x/../users/me",
    "/api/users/../users/me", "/API/users/me", "/api/Users/me", "/api/users/me;x=1", "/api/users/me.json",
    "/api/users/me\0", "/api/users/me\n", "/api/users/me ", "/api/users/\\me", "/api/users/..", "/api/users/.",
    "/api/users/../../etc/passwd", "/static/../users/auth.py", "/api/users/me%2faudit", "/api/users%2fme",
]  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=repr)
def test_a_path_has_one_spelling(api: Api, student: Student, path: str) -> None:
    """Any other spelling of a path is a 400 or 404, with and without a token, so its checks cannot be bypassed."""
    for headers in ([], [(b"authorization", f"Bearer {student.token}".encode())]):
        status, _, body = raw(api, path, headers)
        assert status in (400, 401, 404), body
        assert student.email.encode() not in body
        assert b"root:" not in body
        if status == 401:
            assert headers == []


def test_a_parameter_that_comes_twice_counts_once(student: Student) -> None:
    """Of a duplicate parameter the last value counts, and it is validated as usual."""
    for path in ("/api/users?limit=1&limit=100000", "/api/sessions?limit=5&limit=0", "/api/users?limit=1&limit=x"):
        assert_problem(student.get(path), 400, "VALIDATION_ERROR")
    assert student.get("/api/users?limit=100000&limit=1").status_code == 200
    assert len(student.get("/api/users?limit=100000&limit=1").json()["data"]) <= 1


def test_browsers_are_told_who_may_call() -> None:
    """The local gateway allows no credentials, so no other site can use a session."""
    cors = Template.load(ROOT / "template.yaml", {"AllowedOrigins": "https://app.example.com"}).cors()
    assert cors.credentials is False
    assert "*" not in (*cors.methods, *cors.headers)
    asked = {"access-control-request-method": "POST"}
    own = dict(preflight(cors, {"origin": "https://app.example.com", **asked}).headers)
    assert own["access-control-allow-origin"] == "https://app.example.com"
    for other in LOOKALIKES:
        assert preflight(cors, {"origin": other, **asked}).headers == []
        assert decorate(cors, {"origin": other}, HttpResponse(200)).headers == []


def test_answers_are_never_kept_by_others(student: Student) -> None:
    """No answer with a user's data can be stored in a shared cache or interpreted as anything but JSON."""
    for path in ("/api/users/me", "/api/sessions", "/api/gamification/xp/me", "/api/sync/changes", "/api/spaces/mine"):
        response = student.get(path)
        assert response.headers["cache-control"] in {"no-store", "private, no-cache"}
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "set-cookie" not in response.headers


def test_many_headers_and_long_ones_are_survived(api: Api) -> None:
    """A thousand headers, or one of 100 kB, are answered like any other request."""
    many = [(f"x-{n}".encode(), b"1") for n in range(1000)]
    for headers in (many, [(b"authorization", b"Bearer " + b"a" * 100_000)], [(b"x-request-id", b"a" * 100_000)]):
        status, answered, _ = raw(api, "/api/users/me", headers)
        assert status == 401
        assert len(answered[b"x-request-id"]) <= 128


@pytest.mark.parametrize("length", [b"9" * 5000, b"9" * 20, b"-1", b"1e9", b"0x10", b"\xd9\xa1" * 10], ids=repr)
def test_lengths_that_lie(api: Api, length: bytes) -> None:
    """A Content-Length that is not a readable number is ignored."""
    headers = [(b"content-length", length), (b"content-type", b"application/json")]
    status, _, _ = raw(api, "/api/auth/login", headers, "POST")
    assert status in (400, 413)


def test_slow_and_broken_requests_end(api: Api) -> None:
    """A client that disconnects in the middle of its body leaves nothing behind."""
    from users.app import app

    sent: list[Message] = []
    pieces: list[Any] = [
        {"type": "http.request", "body": b'{"email"', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return pieces.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/api/auth/login",
        "query_string": b"", "root_path": "", "headers": [(b"content-type", b"application/json")],
        "client": ("raw", 1), "server": ("api.test", 80), "raw_path": b"/api/auth/login",
    }  # fmt: skip
    api.run(asyncio.wait_for(app(scope, receive, send), 5))
    assert sent[0]["status"] == 400
    assert json.loads(sent[1]["body"])["error_code"] == "INVALID_JSON"
