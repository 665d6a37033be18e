"""Study sessions as clients see them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock


def total_xp(student: Student) -> int:
    xp: int = student.get("/api/users/me").json()["data"]["xp"]
    return xp


def test_the_life_of_a_session(student: Student, clock: DatabaseClock) -> None:
    """Start, heartbeats and completion credit the time and pay its XP."""
    session_id = student.start(25, subject="Linear algebra ∑")
    active = student.get("/api/sessions/active").json()["data"]
    assert (active["session_id"], active["status"], active["subject"]) == (session_id, "active", "Linear algebra ∑")
    for _ in range(6):
        clock.advance(minutes=5)
        beat = student.post(f"/api/sessions/{session_id}/heartbeat").json()["data"]
    assert beat["focus_seconds"] == 1800
    outcome = student.complete(session_id, efficiency=87.5)
    assert outcome["focus_seconds"] == 1800
    assert outcome["xp_breakdown"] == {"session": 30, "focus_bonus": 10}
    assert (outcome["xp_awarded"], outcome["total_xp"], outcome["level"]) == (40, 40, 1)
    assert (outcome["current_streak"], outcome["flagged"], outcome["leveled_up"]) == (1, False, False)
    session = student.get(f"/api/sessions/{session_id}").json()["data"]
    assert (session["status"], session["efficiency"], session["xp_awarded"]) == ("completed", 87.5, 40)
    assert_problem(student.get("/api/sessions/active"), 404, "NOT_FOUND")
    assert total_xp(student) == 40


def test_completing_again_is_the_same_answer(student: Student, clock: DatabaseClock) -> None:
    """A repeated completion with any body awards nothing."""
    session_id = student.start(5)
    clock.advance(minutes=4)
    first = student.complete(session_id, efficiency=10)
    assert student.complete(session_id) == first
    assert student.complete(session_id, efficiency=99) == first
    assert total_xp(student) == first["total_xp"]


def test_only_one_session_is_active(student: Student) -> None:
    """A second start is refused and names the active session."""
    session_id = student.start()
    problem = assert_problem(
        student.post("/api/sessions/start", {"duration_minutes": 25}), 409, "SESSION_ALREADY_ACTIVE"
    )
    assert problem["details"] == {"session_id": session_id}


def test_50_simultaneous_starts_make_one_session(api: Api, student: Student, sql: psycopg.Connection[Any]) -> None:
    """Of 50 simultaneous starts one succeeds."""
    body = {"duration_minutes": 25}
    responses = api.at_once(
        [api.send("POST", "/api/sessions/start", token=student.token, json=body) for _ in range(50)]
    )
    assert sorted(r.status_code for r in responses) == [201] + [409] * 49
    count = sql.execute("select count(*) from study_sessions where user_id = %s", [student.user_id]).fetchone()
    assert count == (1,)


def test_50_simultaneous_completions_pay_once(api: Api, student: Student, clock: DatabaseClock) -> None:
    """50 simultaneous completions get the same answer, and one of them pays."""
    path = f"/api/sessions/{student.start(60)}/complete"
    clock.advance(minutes=5)
    responses = api.at_once([api.send("POST", path, token=student.token) for _ in range(50)])
    assert {r.status_code for r in responses} == {200}
    assert len({r.text for r in responses}) == 1
    assert total_xp(student) == responses[0].json()["data"]["xp_awarded"] == 5


def test_20_users_completing_at_once_lose_nothing(api: Api, clock: DatabaseClock, sql: psycopg.Connection[Any]) -> None:
    """After 20 simultaneous completions every total is the sum of the ledger."""
    students = [api.student() for _ in range(20)]
    paths = [f"/api/sessions/{student.start(60)}/complete" for student in students]
    clock.advance(minutes=5)
    pairs = zip(students, paths, strict=True)
    responses = api.at_once([api.send("POST", path, token=student.token) for student, path in pairs])
    assert {r.json()["data"]["xp_awarded"] for r in responses} == {5}
    query = """select s.total_xp, (select sum(amount) from xp_ledger l where l.user_id = s.user_id) from user_stats s
               where s.user_id = any(%s::uuid[])"""
    assert sql.execute(query, [[s.user_id for s in students]]).fetchall() == [(5, 5)] * 20


def test_a_client_chosen_id_makes_a_start_repeatable(api: Api, student: Student) -> None:
    """The same id returns the same session and answer, even after its end; a different body is refused."""
    body = {"session_id": str(uuid.uuid4()), "duration_minutes": 25, "subject": "Physics"}
    first = student.post("/api/sessions/start", body)
    assert first.json()["data"]["session_id"] == body["session_id"]
    student.complete(body["session_id"])
    assert student.post("/api/sessions/start", body).json() == first.json()
    different = student.post("/api/sessions/start", {**body, "duration_minutes": 26})
    assert_problem(different, 422, "IDEMPOTENCY_KEY_REUSED")
    assert_problem(api.student().post("/api/sessions/start", body), 409, "CONFLICT")


def test_an_idempotency_key_makes_every_write_repeatable(student: Student) -> None:
    """The same key returns the first answer and changes nothing; with a different body it is a 422."""
    key = {"Idempotency-Key": "start-1"}
    first = student.post("/api/sessions/start", {"duration_minutes": 25}, headers=key)
    assert student.post("/api/sessions/start", {"duration_minutes": 25}, headers=key).json() == first.json()
    other = student.post("/api/sessions/start", {"duration_minutes": 30}, headers=key)
    assert_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")
    path = f"/api/sessions/{first.json()['data']['session_id']}/audit"
    note = {"event_type": "note", "payload": {"text": "once"}}
    events = [student.post(path, note, headers={"Idempotency-Key": "note-1"}).json() for _ in range(3)]
    assert events[0] == events[1] == events[2]
    assert [e["event_type"] for e in student.get(path).json()["data"]] == ["start", "note"]
    assert_problem(student.post(path, note, headers=key), 422, "IDEMPOTENCY_KEY_REUSED")


def test_10_simultaneous_repeats_of_one_key_write_once(api: Api, student: Student) -> None:
    """A repeat that arrives while the first request is running waits for its answer."""
    path = f"/api/sessions/{student.start()}/audit"
    options: dict[str, Any] = {"json": {"event_type": "note"}, "headers": {"Idempotency-Key": "k"}}
    responses = api.at_once([api.send("POST", path, token=student.token, **options) for _ in range(10)])
    assert len({r.json()["data"]["event_id"] for r in responses}) == 1
    assert len(student.get(path).json()["data"]) == 2


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "naïve"])
def test_bad_idempotency_keys_are_refused(student: Student, key: str) -> None:
    """An Idempotency-Key has 1 to 255 visible ASCII characters."""
    response = student.post(
        "/api/sessions/start", {"duration_minutes": 25}, headers={"Idempotency-Key": key.encode("utf-8")}
    )
    assert_problem(response, 400, "VALIDATION_ERROR")
    assert_problem(student.get("/api/sessions/active"), 404, "NOT_FOUND")


def test_the_audit_trail_has_every_event_in_order(student: Student, clock: DatabaseClock) -> None:
    """Client events and lifecycle events are in order, with the server's time and the client's claimed time."""
    session_id = student.start()
    path = f"/api/sessions/{session_id}/audit"
    claim = "2026-01-31T12:00:00"
    for event_type in ("focus_start", "break_start", "break_end", "note"):
        clock.advance(seconds=30)
        body = {"event_type": event_type, "timestamp": claim, "payload": {"n": 1, "text": "ü\\u0000 \U0001f600"}}
        event = student.post(path, body).json()["data"]
        assert event["timestamp"] == "2026-01-31T12:00:00.000000Z"
        assert event["payload"] == body["payload"]
    student.complete(session_id, completed_at="2026-01-31T14:00:00+02:00")
    events = student.get(path).json()["data"]
    kinds = ["start", "focus_start", "break_start", "break_end", "note", "complete"]
    assert [event["event_type"] for event in events] == kinds
    assert [event["source"] for event in events] == ["lifecycle", *["client"] * 4, "lifecycle"]
    assert events[-1]["timestamp"] == "2026-01-31T12:00:00.000000Z"
    assert [e["occurred_at"] for e in events] == sorted(e["occurred_at"] for e in events)


def test_the_audit_trail_is_paged(student: Student, sql: psycopg.Connection[Any]) -> None:
    """Pages have a thousand events by default and contain every event once, also among equal times."""
    session_id = student.start()
    path = f"/api/sessions/{session_id}/audit"
    sql.execute(
        """insert into session_events (session_id, user_id, source, event_type, occurred_at)
           select session_id, user_id, 'client', 'heartbeat', started_at + n / 3 * interval '1 second'
           from study_sessions, generate_series(1, 1004) n where session_id = %s""",
        [session_id],
    )
    first = student.get(path).json()
    assert len(first["data"]) == 1000
    rest = student.get(path, params={"cursor": first["next_cursor"]}).json()
    assert (len(rest["data"]), rest["next_cursor"]) == (5, None)
    found, cursor = [], ""
    while cursor is not None:
        page = student.get(path, params={"limit": 300, "cursor": cursor}).json()
        found += [event["event_id"] for event in page["data"]]
        cursor = page["next_cursor"]
    assert found == [event["event_id"] for event in first["data"] + rest["data"]]
    assert len(set(found)) == 1005
    for wrong in ({"limit": 0}, {"limit": 1001}, {"cursor": "forged"}):
        assert_problem(student.get(path, params=wrong), 400, "VALIDATION_ERROR")


def test_claims_never_lengthen_a_session(student: Student, clock: DatabaseClock) -> None:
    """A completion with an end hours in the future is credited by the server's clock."""
    session_id = student.start(60)
    clock.advance(minutes=2)
    late = datetime.now(UTC).replace(year=datetime.now(UTC).year + 1).isoformat()
    student.post(f"/api/sessions/{session_id}/heartbeat", {"timestamp": late})
    outcome = student.complete(session_id, completed_at=late)
    assert outcome["focus_seconds"] == 120
    assert outcome["suspicion_score"] > 0
    assert outcome["flagged"] is False


def test_abandoning_pays_nothing(student: Student, clock: DatabaseClock) -> None:
    """An abandoned session ends without XP, can be abandoned again, and cannot be completed."""
    session_id = student.start()
    clock.advance(minutes=3)
    first = student.post(f"/api/sessions/{session_id}/abandon")
    assert first.json()["data"] | {"ended_at": ""} == {
        "session_id": session_id, "status": "abandoned", "ended_at": "", "focus_seconds": 180, "xp_awarded": 0,
        "clipped_seconds": 0,
    }  # fmt: skip
    assert student.post(f"/api/sessions/{session_id}/abandon").json() == first.json()
    for action in ("complete", "heartbeat"):
        problem = assert_problem(student.post(f"/api/sessions/{session_id}/{action}"), 409, "SESSION_NOT_ACTIVE")
        assert problem["details"] == {"session_id": session_id, "status": "abandoned"}
    assert total_xp(student) == 0


def test_another_users_session_does_not_exist(api: Api, student: Student) -> None:
    """Every call on another user's session is a 404 and changes nothing."""
    session_id, other = student.start(), api.student()
    for method, action in [
        ("GET", ""), ("GET", "/audit"), ("POST", "/heartbeat"), ("POST", "/complete"), ("POST", "/abandon"),
    ]:  # fmt: skip
        response = api.request(method, f"/api/sessions/{session_id}{action}", token=other.token)
        assert_problem(response, 404, "NOT_FOUND")
    assert_problem(other.post(f"/api/sessions/{session_id}/audit", {"event_type": "note"}), 404, "NOT_FOUND")
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == session_id
    assert len(student.get(f"/api/sessions/{session_id}/audit").json()["data"]) == 1


def test_sessions_are_listed_newest_first_page_by_page(student: Student) -> None:
    """Pages cover every session once, and the list can be filtered by status."""
    ids = []
    for number in range(5):
        ids.append(student.start())
        student.post(f"/api/sessions/{ids[-1]}/{'complete' if number % 2 else 'abandon'}")
    found, cursor = [], None
    while True:
        page = student.get("/api/sessions", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        found += [session["session_id"] for session in page["data"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == ids[::-1]
    completed = student.get("/api/sessions", params={"status": "completed"}).json()["data"]
    assert [session["session_id"] for session in completed] == [ids[3], ids[1]]


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, "body.duration_minutes"),
        ({"duration_minutes": 0}, "body.duration_minutes"),
        ({"duration_minutes": 721}, "body.duration_minutes"),
        ({"duration_minutes": -5}, "body.duration_minutes"),
        ({"duration_minutes": "soon"}, "body.duration_minutes"),
        ({"duration_minutes": 2.5}, "body.duration_minutes"),
        ({"duration_minutes": None}, "body.duration_minutes"),
        ({"duration_minutes": 10**30}, "body.duration_minutes"),
        ({"duration_minutes": 25, "subject": ""}, "body.subject"),
        ({"duration_minutes": 25, "subject": "x" * 101}, "body.subject"),
        ({"duration_minutes": 25, "subject": "x" * 10_000}, "body.subject"),
        ({"duration_minutes": 25, "subject": "nul\0"}, "body.subject"),
        ({"duration_minutes": 25, "subject": ["x"]}, "body.subject"),
        ({"duration_minutes": 25, "session_id": "1"}, "body.session_id"),
        ({"duration_minutes": 25, "space_id": 7}, "body.space_id"),
        ({"duration_minutes": 25, "xp": 1000}, "body.xp"),
    ],
)
def test_bad_starts_start_nothing(student: Student, body: dict[str, Any], location: str) -> None:
    """Each bad field is named, and no session starts."""
    problem = assert_problem(student.post("/api/sessions/start", body), 400, "VALIDATION_ERROR")
    assert problem["details"]["validation_errors"][0]["location"] == location
    assert_problem(student.get("/api/sessions/active"), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "status", "error_code"),
    [
        ({}, 400, "VALIDATION_ERROR"),
        ({"event_type": "party"}, 400, "VALIDATION_ERROR"),
        ({"event_type": "start"}, 400, "VALIDATION_ERROR"),
        ({"event_type": "note", "timestamp": "yesterday"}, 400, "VALIDATION_ERROR"),
        ({"event_type": "note", "timestamp": 1767225600}, 400, "VALIDATION_ERROR"),
        ({"event_type": "note", "timestamp": "0000-01-01T00:00:00Z"}, 400, "VALIDATION_ERROR"),
        ({"event_type": "note", "timestamp": "0001-01-01T00:00:00+14:00"}, 400, "VALIDATION_ERROR"),
        ({"event_type": "note", "payload": "text"}, 400, "VALIDATION_ERROR"),
        ({"event_type": "note", "payload": {"text": "x" * 4096}}, 422, "AUDIT_VALIDATION_FAILED"),
        ({"event_type": "note", "payload": {"text": "nul\0"}}, 422, "AUDIT_VALIDATION_FAILED"),
        ({"event_type": "note", "payload": {"nul\0": 1}}, 422, "AUDIT_VALIDATION_FAILED"),
    ],
)
def test_bad_events_are_not_kept(student: Student, body: dict[str, Any], status: int, error_code: str) -> None:
    """An unknown event is refused and not stored."""
    path = f"/api/sessions/{student.start()}/audit"
    assert_problem(student.post(path, body), status, error_code)
    assert len(student.get(path).json()["data"]) == 1


@pytest.mark.parametrize("payload", ['{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1e999}', '{"a":' * 500 + "1" + "}" * 500])
def test_payloads_that_are_no_json_are_refused(student: Student, payload: str) -> None:
    """A payload that Python can parse but JSON does not allow is refused with a clear 4xx."""
    path = f"/api/sessions/{student.start()}/audit"
    content = f'{{"event_type": "note", "payload": {payload}}}'.encode()
    response = student.api.request(
        "POST", path, token=student.token, content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (400, 422), response.text
    assert len(student.get(path).json()["data"]) == 1


@pytest.mark.parametrize("efficiency", [-1, 101, "high", [50]])
def test_bad_completions_complete_nothing(student: Student, efficiency: Any) -> None:
    """A completion with a value out of range leaves the session running."""
    session_id = student.start()
    response = student.post(f"/api/sessions/{session_id}/complete", {"efficiency": efficiency})
    assert_problem(response, 400, "VALIDATION_ERROR")
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == session_id


@pytest.mark.parametrize(
    "params", [{"status": "running"}, {"limit": 0}, {"limit": -1}, {"limit": 101}, {"cursor": "e30"}]
)
def test_bad_lists_are_refused(student: Student, params: dict[str, Any]) -> None:
    """A status, limit or cursor that the contract does not allow is answered with 400."""
    assert_problem(student.get("/api/sessions", params=params), 400, "VALIDATION_ERROR")


def test_empty_parameters_are_absent_ones(student: Student) -> None:
    """An empty parameter counts as absent, because some clients always send all of them."""
    session_id = student.start()
    found = student.get("/api/sessions?status=&cursor=").json()["data"]
    assert [session["session_id"] for session in found] == [session_id]


def test_anybody_elses_name_in_a_body_is_a_403(student: Student) -> None:
    """A user_id other than the caller's own is refused as such, whatever its value."""
    response = student.post("/api/sessions/start", {"duration_minutes": 25, "user_id": "somebody"})
    assert_problem(response, 403, "AUTHORIZATION_ERROR")


def test_ids_in_paths_are_checked(student: Student) -> None:
    """A malformed session id is a 400, an unknown one a 404."""
    assert_problem(student.get("/api/sessions/1"), 400, "VALIDATION_ERROR")
    assert_problem(student.get(f"/api/sessions/{uuid.uuid4()}"), 404, "NOT_FOUND")


def test_a_start_in_an_unknown_space_is_refused(student: Student) -> None:
    """A start in an unknown space is a 404, and no session starts."""
    body = {"duration_minutes": 25, "space_id": str(uuid.uuid4())}
    assert_problem(student.post("/api/sessions/start", body), 404, "NOT_FOUND")
    assert_problem(student.get("/api/sessions/active"), 404, "NOT_FOUND")


def test_old_clients_send_their_own_id(api: Api, student: Student) -> None:
    """A user_id in a body is accepted when it is the caller's own, and is a 403 otherwise."""
    assert student.start(25, user_id=student.user_id, created_by=student.user_id.upper())
    other = api.student()
    response = other.post("/api/sessions/start", {"duration_minutes": 25, "user_id": student.user_id})
    assert_problem(response, 403, "AUTHORIZATION_ERROR")
    response = other.post("/api/sessions/start", {"duration_minutes": 25, "created_by": student.user_id})
    assert_problem(response, 403, "AUTHORIZATION_ERROR")
