"""What is logged about requests, and what never is."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from local.backends import Backends
from studysync.db.client import _meaning, breaker
from studysync.db.errors import DatabaseRefusalError
from studysync.errors import INTERNAL_ERROR
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger, log_name
from testing.client import Api, Student, assert_problem
from testing.operations import ALL
from tests.contract.conftest import Lines

pytestmark = pytest.mark.own_servers

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def test_one_line_a_request_with_what_belongs_to_it(student: Student, logged: Lines) -> None:
    """A line has the template, status, duration, caller, request id and client's trace, but not the path as sent."""
    headers = {"X-Request-Id": "req-1", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    student.get(f"/api/users/{student.user_id}", headers=headers)
    (line,) = logged.of_kind("request")
    assert (line["method"], line["path"], line["status_code"]) == ("GET", "/api/users/{user_id}", 200)
    assert (line["user_id"], line["request_id"], line["trace_id"]) == (student.user_id, "req-1", TRACE)
    assert line["duration_ms"] > 0
    assert [call["table"] for call in logged.of_kind("database")] == ["get_profile"]


@pytest.mark.parametrize("bad", ["", "00-xyz", f"00-{TRACE}", "x" * 1000])
def test_a_trace_that_is_none_is_left_out(student: Student, logged: Lines, bad: str) -> None:
    """Only a well-formed traceparent reaches the log."""
    student.get("/api/users/me", headers={"traceparent": bad})
    assert "trace_id" not in logged.of_kind("request")[0]


def test_refusals_are_security_events(api: Api, student: Student, logged: Lines) -> None:
    """A wrong password, used refresh token, bad access token and forbidden request are logged; a missing one is not."""
    api.post("/api/auth/login", {"email": student.email, "password": "wrong password 1"})
    api.post("/api/auth/refresh", {"refresh_token": "used up"})
    api.get("/api/users/me", token="nonsense")
    api.get("/api/users/me")
    student.post("/api/sessions/start", {"duration_minutes": 25, "user_id": "00000000-0000-4000-8000-000000000000"})
    events = [(line["event_type"], line["severity"]) for line in logged.of_kind("security")]
    assert events == [
        ("failed_login", "medium"),
        ("refused_refresh_token", "medium"),
        ("refused_token", "low"),
        ("forbidden", "medium"),
    ]
    assert [line["action"] for line in logged.of_kind("audit")] == ["authentication"] * 3 + ["authorization"]


def test_who_looks_at_somebody_elses_data_is_in_the_trail(api: Api, student: Student, logged: Lines) -> None:
    """Reads of another user's profile, XP, badges and streaks are audited; reads of one's own data are not."""
    other = api.student()
    for path in ("users", "gamification/xp", "gamification/badges", "gamification/streaks"):
        assert other.get(f"/api/{path}/{student.user_id}").status_code == 200
        assert other.get(f"/api/{path}/me").status_code == 200
    assert [
        (line["action"], line["user_id"], line["resource_type"], line["resource_id"])
        for line in logged.of_kind("audit")
        if line["action"] == "data_access"
    ] == [("data_access", other.user_id, kind, student.user_id) for kind in ("profile", "xp", "user_badges", "streaks")]


def test_who_signs_in_and_changes_what_is_in_the_trail(api: Api, logged: Lines) -> None:
    """Sign-ins and changes are audited with the names of fields, not their texts; sessions have their own trail."""
    student = api.student()
    login = api.post("/api/auth/login", {"email": student.email, "password": student.password}).json()["data"]
    api.post("/api/auth/refresh", {"refresh_token": login["refresh_token"]})
    assert student.patch("/api/users/me", {"display_name": "Ada L", "daily_goal_minutes": 45}).status_code == 200
    session_id = student.start(25)
    batch = {"client_id": "phone", "events": [{"session_id": session_id, "event_type": "pause", "created_at": "x"}]}
    assert student.post("/api/sync/offline", batch).status_code == 200
    assert student.post("/api/auth/logout").status_code == 200
    lines = [line for line in logged.of_kind("audit") if line["user_id"] == student.user_id]
    signed = [line["method"] for line in lines if line["action"] == "authentication" and line["success"]]
    assert signed == ["registration", "login", "refresh", "logout"]
    written = [line for line in lines if line["action"] == "data_modification"]
    assert [(line["operation"], line["resource_type"], line["resource_id"]) for line in written] == [
        ("register", "profile", student.user_id),
        ("update", "profile", student.user_id),
    ]
    (started,) = [line for line in logged.of_kind("request") if line["path"] == "/api/sessions/start"]
    assert (started["user_id"], started["session_id"]) == (student.user_id, session_id)
    assert written[1]["changes"] == {"display_name": "...", "daily_goal_minutes": 45}
    assert "Ada L" not in logged.text


def test_no_secret_is_ever_logged(api: Api, backends: Backends, logged: Lines) -> None:
    """No password, token or address is in any log line at any level, whether requests succeed or fail."""
    student = api.student(display_name="Nobody")
    secrets = {student.email, student.password, student.token, student.registered["refresh_token"]}
    secrets |= {backends.environment["SUPABASE_SECRET_KEY"], backends.keys.service_role_key}
    wrong = {"email": "else@example.test", "password": "my other secret 7"}
    login = api.post("/api/auth/login", {"email": student.email, "password": student.password}).json()["data"]
    refreshed = api.post("/api/auth/refresh", {"refresh_token": login["refresh_token"]}).json()["data"]
    secrets |= {*wrong.values(), login["token"], login["refresh_token"], refreshed["token"], refreshed["refresh_token"]}
    assert_problem(api.post("/api/auth/login", wrong), 401, "AUTHENTICATION_ERROR")
    assert_problem(api.post("/api/auth/refresh", {"refresh_token": "no token 5"}), 401, "AUTHENTICATION_ERROR")
    taken = {"username": "someone_else_7", "email": student.email, "password": wrong["password"]}
    assert_problem(api.post("/api/auth/register", taken), 409, "USER_ALREADY_EXISTS")
    api.post("/api/auth/register", {"username": "!", "email": wrong["email"], "password": "short secret"})
    api.request(
        "POST", "/api/auth/login", content=json.dumps(wrong)[:-1].encode(), headers={"Content-Type": "application/json"}
    )
    api.get("/api/users/me", token=student.token + "x")
    api.get(f"/api/users?query={wrong['email']}", token=student.token)
    student.patch("/api/users/me", {"display_name": "Me"}, headers={"Idempotency-Key": "k"})
    session = student.start(subject="Algebra")
    student.complete(session)
    student.post("/api/sync/offline", {"events": [{"session_id": session, "event_type": "heartbeat"}]})
    api.get("/health/detailed", token="operator secret 9")
    backends.project.auth.kill()
    try:
        api.post("/api/auth/login", wrong)
        api.post("/api/auth/register", {"username": "new_name_8", **wrong})
    finally:
        backends.project.auth.restart()
    student.post("/api/auth/logout")
    secrets |= {"short secret", "operator secret 9", "no token 5"}
    assert len(logged.of_kind("request")) > 15
    assert {secret for secret in secrets if secret in logged.text} == set()


@pytest.mark.parametrize("mark", ["ada.mark77@example.test", "Mark77", "Mark77 \U0001f4da", '"Mark77"'])
def test_no_text_of_a_client_is_ever_logged(student: Student, logged: Lines, mark: str) -> None:
    """An email address in any field, parameter, path, header or method is not logged, in success or failure."""
    for operation in ALL:
        texts = [*operation.parameters("query"), "unknown"]
        headers = {"Authorization": f"Bearer {student.token}"}
        if mark.isascii():
            headers |= {"User-Agent": mark, "Referer": mark, "X-Request-Id": f"<{mark}>", "X-Forwarded-For": mark}
        if " " not in mark and mark.isascii():
            headers["Idempotency-Key"] = f"{mark}{operation.name}".replace(" ", "")
        path = operation.concrete(user_id="me", **{} if "circuits" in operation.path else {"space_id": quote(mark)})
        for name in texts:
            student.api.request(operation.method, operation.concrete(), params={name: mark}, headers=headers)
            student.api.request(operation.method, path, params={name: mark}, headers=headers)
        schema = operation.body_schema
        for name in [*schema["properties"], mark] if schema else []:
            body = {**(operation.body() or {}), name: mark}
            student.api.request(operation.method, operation.concrete(), json=body, headers=headers)
    assert student.get(f"/api/{quote(mark)}").status_code == 404
    assert len(logged.of_kind("request")) > 100
    assert "ark77" not in logged.text


def test_texts_that_are_taken_are_not_logged(api: Api, backends: Backends, logged: Lines) -> None:
    """Names, subjects, notes, codes, searches and device names are not logged, even while the database is down."""
    mark = "mark77@example.test"
    student = api.student(display_name=mark)
    space = student.post("/api/spaces/create", {"name": mark, "description": mark, "visibility": "private"})
    space_id = space.json()["data"]["space_id"]
    session_id = student.start(subject=mark, space_id=space_id)
    note = {"event_type": "note", "payload": {mark: mark}}
    assert student.post(f"/api/sessions/{session_id}/audit", note).status_code == 200
    events = [{"session_id": mark, "event_type": mark, "created_at": mark, mark: mark}]

    def all_of_it() -> list[int]:
        answers = [
            student.post("/api/sync/offline", {"events": events, "client_id": mark}, headers={"Idempotency-Key": mark}),
            student.get("/api/sync/status", params={"client_id": mark}),
            student.get("/api/users", params={"query": mark}),
            student.get("/api/spaces", params={"query": mark}),
            student.patch(f"/api/spaces/{space_id}", {"description": mark}),
            student.patch("/api/users/me", {"display_name": mark}),
        ]
        return [answer.status_code for answer in answers]

    assert all_of_it() == [200] * 6
    backends.project.postgrest.kill()
    try:
        assert all_of_it() == [503] * 6
    finally:
        backends.project.postgrest.restart()
        breaker.reset()
    assert "mark77" not in logged.text
    batches = [line["client_id"] for line in logged.of_kind("business") if line["event_type"] == "offline_batch"]
    assert batches == [log_name(mark)]


def test_what_the_database_quotes_is_not_logged(logged: Lines) -> None:
    """The database's error message quotes the value that it cannot read, so it is not logged."""
    for code, message in (
        ("22P02", 'invalid input syntax for type uuid: "mark77@example.test"'),
        ("22007", 'invalid input syntax for type timestamp: "mark77 "" quoted"'),
        ("22008", 'date/time field value out of range: "mark77'),
    ):
        assert _meaning(DatabaseRefusalError(code, message)).kind is INTERNAL_ERROR
    assert "mark77" not in logged.text
    assert "invalid input syntax for type uuid" in logged.text
    _meaning(DatabaseRefusalError("42P01", 'relation "nothing" does not exist'))
    assert 'relation \\"nothing\\" does not exist' in logged.text


def test_secret_fields_are_masked(logged: Lines) -> None:
    """A secret field that is logged by mistake is shown as three asterisks, at any depth."""
    app_logger.info("oops", password="p-1", nested="x")
    app_logger.log_business_event(event_type="oops", details={"token": "p-2", "list": [{"email": "p-3"}]})
    assert not {"p-1", "p-2", "p-3"} & set(logged.text.replace('"', " ").split())
    assert "***" in logged.text


def test_the_guides_calls_work(logged: Lines) -> None:
    """Application, audit and error logging work as the guide prints them."""
    app_logger.info("User logged in", user_id="123", ip="192.168.1.1")
    app_logger.log_security_event(event_type="failed_login", severity="high", user_id="123", ip_address="192.168.1.1")
    audit_logger.log_authentication(user_id="123", success=True, ip_address="192.168.1.1")
    audit_logger.log_authorization(user_id="123", resource_type="space", operation="read", allowed=False)
    audit_logger.log_data_access(user_id="123", resource_type="profile", resource_id="456")
    audit_logger.log_data_modification(
        user_id="123", resource_type="session", resource_id="456", operation="update", changes={"status": "completed"}
    )
    actions = ["authentication", "authorization", "data_access", "data_modification"]
    assert [line["action"] for line in logged.of_kind("audit")] == actions
    assert logged.of_kind("audit")[3]["changes"] == {"status": "completed"}
    error_tracker.clear_errors()
    app_logger.error("Database timeout", error_type="DatabaseTimeout")
    app_logger.error("Database timeout", error_type="DatabaseTimeout")
    summary = error_tracker.get_error_summary()
    assert (summary["total_errors"], summary["errors_by_type"]) == (2, {"DatabaseTimeout": 2})
    assert error_tracker.get_top_errors(limit=10)[0]["count"] == 2
    error_tracker.clear_errors()
    assert error_tracker.get_top_errors() == []


def test_some_requests_are_logged_in_detail(student: Student, logged: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sampling rate each request decides separately whether its debug lines are written."""
    monkeypatch.setattr(app_logger, "sampling_rate", 1.0)
    student.get("/api/users/me")
    assert len(logged.of_kind("database")) == 1
    monkeypatch.setattr(app_logger, "sampling_rate", 1e-12)
    student.get("/api/users/me")
    assert len(logged.of_kind("database")) == 1
