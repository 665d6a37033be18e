"""The main use case over HTTP: register, study, earn, climb, meet, synchronise; through real Lambda processes."""

from __future__ import annotations

import json
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.e2e.conftest import Stack, start_stack

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def http(stack: Stack) -> Any:
    with stack.client() as client:
        yield client


def register(http: httpx.Client) -> tuple[str, dict[str, str]]:
    name = f"e_{uuid.uuid4().hex[:16]}"
    body = {"username": name, "email": f"{name}@example.com", "password": "analytical1"}
    response = http.post("/api/auth/register", json=body)
    assert response.status_code == 201, response.text
    data = response.json()["data"]
    return data["user_id"], {"Authorization": f"Bearer {data['token']}"}


def ok(response: httpx.Response, status: int = 200) -> Any:
    assert response.status_code == status, response.text
    return response.json()["data"]


def test_a_student_registers_studies_and_earns(http: httpx.Client, stack: Stack) -> None:
    """A student gets from registration to XP, badges, a streak and the leaderboard."""
    user_id, me = register(http)
    session = ok(http.post("/api/sessions/start", json={"duration_minutes": 25, "subject": "Biology"}, headers=me), 201)
    path = f"/api/sessions/{session['session_id']}"
    ok(http.post(f"{path}/heartbeat", headers=me))
    ok(http.post(f"{path}/audit", json={"event_type": "note", "payload": {"page": 12}}, headers=me))
    outcome = ok(http.post(f"{path}/complete", json={"efficiency": 90}, headers=me))
    # A day counts for the streak once one minute is credited.
    assert (outcome["xp_awarded"], outcome["new_badges"], outcome["current_streak"]) == (1, ["first_session"], 0)
    assert ok(http.get("/api/users/me", headers=me))["xp"] == 1
    assert ok(http.get("/api/gamification/xp/me", headers=me))["xp_by_source"] == {"session": 1}
    board = ok(http.get("/api/gamification/leaderboard/weekly", headers=me))
    assert (board["me"]["user_id"], board["me"]["xp"]) == (user_id, 1)
    assert [e["event_type"] for e in ok(http.get(f"{path}/audit", headers=me))] == [
        "start", "heartbeat", "note", "complete",
    ]  # fmt: skip


def test_a_forgotten_password_is_chosen_anew(http: httpx.Client, stack: Stack) -> None:
    """The link in the mail, which the local mailbox shows, sets a new password."""
    user_id, me = register(http)
    email = ok(http.get("/api/users/me", headers=me))["email"]
    ok(http.post("/api/auth/password/forgot", json={"email": email}), 202)
    site = stack.facts["environment"]["SUPABASE_URL"]
    page = httpx.get(f"{site}/mailbox").text
    found = re.search(rf'href="(/mailbox/[0-9]+\.eml)">[^<]*{re.escape(email)}', page)
    assert found
    token = re.search(r"reset\?token=([0-9a-f]+)", httpx.get(f"{site}{found[1]}").text)
    assert token
    body = {"token": token[1], "password": "battery staple 2"}
    assert ok(http.post("/api/auth/password/reset", json=body))["user_id"] == user_id
    ok(http.post("/api/auth/login", json={"email": email, "password": "battery staple 2"}))


def test_students_meet_in_a_space(http: httpx.Client, stack: Stack) -> None:
    """One student creates a private space, and another joins with its code and studies there."""
    _, owner = register(http)
    guest_id, guest = register(http)
    space = ok(http.post("/api/spaces/create", json={"name": "Finals", "visibility": "private"}, headers=owner), 201)
    ok(http.post("/api/spaces/join", json={"invite_code": space["invite_code"]}, headers=guest))
    body = {"duration_minutes": 25, "space_id": space["space_id"]}
    ok(http.post("/api/sessions/start", json=body, headers=guest), 201)
    members = ok(http.get(f"/api/spaces/{space['space_id']}/members", headers=owner))
    assert {m["user_id"]: m["is_studying"] for m in members}[guest_id] is True


def test_a_phone_comes_back_online(http: httpx.Client, stack: Stack) -> None:
    """A session that happened offline is synchronised once, and the other device gets it.

    A short one, since nothing happened before the account was made.
    """
    _, me = register(http)
    session_id, start = str(uuid.uuid4()), datetime.now(UTC)
    kinds = [("start", 0), *(("heartbeat", n) for n in range(1, 6)), ("complete", 6)]
    events = [
        {"session_id": session_id, "event_type": kind, "created_at": (start + timedelta(seconds=n)).isoformat()}
        for kind, n in kinds
    ]
    first = ok(http.post("/api/sync/offline", json={"events": events, "client_id": "phone"}, headers=me))
    again = ok(http.post("/api/sync/offline", json={"events": events, "client_id": "phone"}, headers=me))
    assert (first["synced_count"], again["duplicate_count"]) == (len(events), len(events))
    assert first["sessions"] == again["sessions"]
    assert first["sessions"][0]["xp_awarded"] == 1
    changes = http.get("/api/sync/changes", headers=me).json()["data"]
    assert {c["kind"] for c in changes} == {"profile", "session", "xp", "badge"}


def test_50_starts_through_the_gateway_make_one_session(http: httpx.Client, stack: Stack) -> None:
    """Of starts that race in several function processes one creates the session."""
    _, me = register(http)
    with ThreadPoolExecutor(25) as threads:
        answers = list(
            threads.map(
                lambda _: http.post("/api/sessions/start", json={"duration_minutes": 25}, headers=me), range(50)
            )
        )
    assert sorted(a.status_code for a in answers) == [201] + [409] * 49


def test_10_clients_get_2000_answers_without_an_error(http: httpx.Client, stack: Stack) -> None:
    """Ten clients read profiles concurrently without an error."""
    _, me = register(http)

    def read(count: int) -> set[int]:
        with stack.client() as client:
            return {client.get("/api/users/me", headers=me).status_code for _ in range(count)}

    with ThreadPoolExecutor(10) as threads:
        assert set().union(*threads.map(read, [200] * 10)) == {200}


@pytest.mark.parametrize(
    ("path", "status", "error_code"),
    [
        ("/nowhere", 404, "NOT_FOUND"),
        ("/api/users/me", 401, "AUTHENTICATION_ERROR"),
        ("/api/sessions/active", 401, "AUTHENTICATION_ERROR"),
        ("/api/gamification/badges", 401, "AUTHENTICATION_ERROR"),
        ("/api/spaces/mine", 401, "AUTHENTICATION_ERROR"),
        ("/api/sync/status", 401, "AUTHENTICATION_ERROR"),
    ],
)
def test_every_function_answers_with_problems(http: httpx.Client, path: str, status: int, error_code: str) -> None:
    """Errors have the contract's shape through the gateway too."""
    response = http.get(path)
    assert (response.status_code, response.json()["error_code"]) == (status, error_code)
    assert response.headers["content-type"] == "application/problem+json"


def test_bodies_that_lambda_cannot_take_are_a_413(http: httpx.Client) -> None:
    """A body of 7 MB never reaches the function, one of 3.5 MB does and gets the contract's error."""
    for size in (3_500_000, 7_000_000):
        assert http.post("/api/auth/login", json={"email": "x" * size, "password": "y"}).status_code == 413


def test_guessers_are_stopped(http: httpx.Client) -> None:
    """Codes and passwords are rate limited by the functions' own counts in the table, whatever the gateway allows."""
    _, me = register(http)
    codes = [http.post("/api/spaces/join", json={"invite_code": f"{n:014}"}, headers=me) for n in range(25)]
    assert (codes[0].status_code, codes[-1].status_code) == (404, 429)
    guess = {"email": f"{uuid.uuid4().hex}@example.com", "password": "password2"}
    assert [http.post("/api/auth/login", json=guess).status_code for _ in range(35)][-1] == 429


@pytest.mark.parametrize("path", ["/api/users/", "/api/sessions/", "/api/spaces/", "/health/", "/health/liveness/"])
def test_a_trailing_slash_means_nothing(http: httpx.Client, path: str) -> None:
    """A path with a trailing slash is answered by the path's function, as in the guide's load test."""
    _, me = register(http)
    ok(http.get(path, headers=me))


def test_browsers_may_call(http: httpx.Client) -> None:
    """The gateway answers a preflight, and other answers have CORS headers."""
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    preflight = http.options("/api/sessions/start", headers=headers)
    assert preflight.status_code in (200, 204)
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert http.get("/api/openapi.json", headers=headers).headers["access-control-allow-origin"]


@pytest.mark.parametrize("path", ["/health", "/health/metrics", "/health/circuits/database/open", "/%68ealth/metrics"])
def test_no_other_page_may_call_what_operators_do(http: httpx.Client, path: str) -> None:
    """No path below /health has CORS headers, and no order runs without the token; a stack may have none (403)."""
    headers = {"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "GET", "POST"):
        response = http.request(method, path, headers=headers)
        assert [name for name in response.headers if name.startswith("access-control")] == []
        assert response.status_code in ((200, 405) if path == "/health" else (401, 403, 404, 405))


def test_orders_of_other_pages_changed_nothing(http: httpx.Client, stack: Stack) -> None:
    """An order without the token opens no circuit."""
    http.post("/health/circuits/database/open", headers={"Origin": "https://app.example.com"})
    own = {"Authorization": f"Bearer {stack.operator_token}"}
    found = http.get("/health/circuits", headers=own).json()["data"]["circuits"]
    assert {circuit["state"] for circuit in found} == {"closed"}


def test_the_root_leads_to_the_pages(http: httpx.Client) -> None:
    """The root leads a browser to the API's page, and that one links to the operators' page."""
    page = http.get("/", follow_redirects=True)
    assert (page.status_code, page.url.path) == (200, "/api/docs")
    assert 'href="/health/dashboard"' in page.text


def test_schedules_run_through_the_functions(stack: Stack) -> None:
    """An event in EventBridge's format runs the schedule's code."""
    closed = stack.invoke("SessionsFunction", {"schedule": "close_silent_sessions"})
    assert closed.keys() == {"completed", "abandoned", "xp_awarded"}
    assert stack.invoke("GamificationFunction", {"schedule": "backfill_badges"}) == 0
    assert stack.invoke("SyncFunction", {"schedule": "purge_sync_events"}) == 0
    assert stack.invoke("HealthFunction", {"schedule": "purge_trails"}) == 0
    assert stack.invoke("HealthFunction", {"schedule": "check_invariants"}) == {}


def test_functions_stay_within_their_policies(stack: Stack) -> None:
    """The template's policies allowed every DynamoDB request of the functions in these tests."""
    log = (Path(stack.facts["logs"]) / "dynamodb.log").read_text(encoding="utf-8").splitlines()
    calls = [json.loads(line) for line in log if line.startswith("{")]
    assert [call for call in calls if call["allowed_by"] is None] == []
    domains = ("Users", "Sessions", "Gamification", "Spaces", "Sync", "Health")
    assert {call["function"] for call in calls if call["key"] == "control"} >= {f"{name}Function" for name in domains}


def test_nothing_violates_the_invariants_and_no_secret_is_logged(stack: Stack) -> None:
    """Finally every total is the sum of its parts, and the logs contain no password, token or address."""
    facts = stack.facts
    if facts["dsn"]:  # a real project runs this from a schedule and has no other entry point
        with psycopg.connect(facts["dsn"]) as connection:
            assert connection.execute("select * from check_invariants()").fetchall() == []
    logs = "".join(path.read_text(errors="replace") for path in Path(facts["logs"]).rglob("*") if path.is_file())
    assert "session_completed" in logs
    for secret in ("analytical1", "@example.com", "eyJhbGciOi", facts["environment"]["SUPABASE_SECRET_KEY"]):
        assert secret not in logs


def test_data_survives_a_restart(tmp_path: Path) -> None:
    """A stack that is restarted keeps its accounts, and their tokens stay valid."""
    stack = start_stack(tmp_path / "home", tmp_path / "first.log")
    try:
        with stack.client() as http:
            _, me = register(http)
    finally:
        assert stack.stop() == 0
    stack = start_stack(tmp_path / "home", tmp_path / "second.log")
    try:
        with stack.client() as http:
            assert json.loads(http.get("/api/users/me", headers=me).text)["data"]["level"] == 1
    finally:
        assert stack.stop() == 0
