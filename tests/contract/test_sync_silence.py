"""Sessions that the schedule closed as silent, and the late batch that explains the silence."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.offline import MINUTE, codes, event, life, send, xp


@pytest.fixture(autouse=True)
def midday(clock: DatabaseClock) -> datetime:
    """Noon, when each of these scenarios starts."""
    clock.set(datetime(2032, 5, 5, 12, tzinfo=UTC))
    return clock.now()


def close_silent_sessions(api: Api) -> None:
    from sessions.service import close_silent_sessions as run

    api.run(run())


def given_up_session(api: Api, student: Student, clock: DatabaseClock) -> str:
    session_id = student.start(90)
    clock.advance(minutes=70)
    close_silent_sessions(api)
    assert status_of(student, session_id) == "abandoned"
    return session_id


def status_of(student: Student, session_id: str) -> str:
    status: str = student.get(f"/api/sessions/{session_id}").json()["data"]["status"]
    return status


def test_the_next_session_may_begin_in_the_assumed_end(
    api: Api, student: Student, clock: DatabaseClock, midday: datetime
) -> None:
    """A closed session was paid five minutes after its last sign of life; none of them is paid twice."""
    first = student.start(25)
    for _ in range(6):
        clock.advance(minutes=4)
        student.post(f"/api/sessions/{first}/heartbeat")
    clock.advance(minutes=65)
    close_silent_sessions(api)
    assert status_of(student, first) == "completed"
    paid = xp(student)
    second = life(midday + 25.5 * MINUTE, 30)
    result = send(student, [event("complete", first, midday + 25 * MINUTE), *second])
    assert [r["status"] for r in result["results"]] == ["duplicate"] + ["applied"] * len(second)
    assert result["sessions"][-1]["clipped_seconds"] in range(205, 215)
    assert xp(student) == paid + 26 + 10


def test_neighbours_that_both_fell_silent_are_both_completed(
    api: Api, student: Student, clock: DatabaseClock, midday: datetime
) -> None:
    """An assumed end reaches at most to the next session's start, and affects neither session."""
    clock.advance(hours=2)
    first, second = life(midday, 50), life(midday + 52 * MINUTE, 28)
    last_sign = event("heartbeat", first[0]["session_id"], midday + 50 * MINUTE)
    result = send(student, [*first[:-1], last_sign, *second[:-1]])
    assert result["rejected_count"] == 0
    clock.advance(minutes=65)
    close_silent_sessions(api)
    assert status_of(student, first[0]["session_id"]) == "completed"
    assert student.get(f"/api/sessions/{first[0]['session_id']}").json()["data"]["focus_seconds"] == 52 * 60
    assert status_of(student, second[0]["session_id"]) == "completed"
    assert [r["status"] for r in send(student, [first[-1], second[-1]])["results"]] == ["duplicate", "duplicate"]


def test_a_session_taken_up_again_is_completed_online(
    api: Api, student: Student, clock: DatabaseClock, midday: datetime
) -> None:
    """A session abandoned while its phone was offline is active again after its heartbeats, and can be completed."""
    session_id = given_up_session(api, student, clock)
    beats = [event("heartbeat", session_id, midday + n * MINUTE) for n in range(5, 75, 5)]
    assert send(student, beats)["rejected_count"] == 0
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == session_id
    assert_problem(student.post("/api/sessions/start", {"duration_minutes": 25}), 409, "SESSION_ALREADY_ACTIVE")
    assert student.complete(session_id)["focus_seconds"] in range(4190, 4230)


def test_a_session_taken_up_beside_a_running_one_takes_no_place(
    api: Api, student: Student, clock: DatabaseClock, midday: datetime
) -> None:
    """If another session has started since, that one stays active."""
    first = given_up_session(api, student, clock)
    running = student.start(25)
    result = send(student, [event("heartbeat", first, midday + 5 * MINUTE)])
    assert codes(result) == [None]
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == running
    assert student.complete(first)["focus_seconds"] in range(590, 601)
    student.complete(running)


def test_the_answer_tells_of_every_session_that_the_batch_completed(
    student: Student, clock: DatabaseClock, midday: datetime
) -> None:
    """The answer also names sessions whose completion preceded their start and silent ones that were replaced."""
    waiting = life(midday - 60 * MINUTE, 20)
    assert set(codes(send(student, waiting[1:]))) == {"SESSION_NOT_FOUND"}
    late = send(student, waiting[:1])
    assert [outcome["session_id"] for outcome in late["sessions"]] == [waiting[0]["session_id"]]
    silent = student.start(5)
    clock.advance(minutes=4)
    student.post(f"/api/sessions/{silent}/heartbeat")
    clock.advance(hours=2)
    later = life(midday + 90 * MINUTE, 10)
    result = send(student, later)
    assert {outcome["session_id"] for outcome in result["sessions"]} == {silent, later[0]["session_id"]}
    assert [r["session_id"] for r in send(student, later)["sessions"]] == [later[0]["session_id"]]


def test_strict_mode_holds_what_looks_made_up(
    student: Student, midday: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In strict mode a suspicious session is completed, flagged and unpaid, offline as well as online."""
    from studysync.settings import get_settings

    monkeypatch.setenv("SUSPICION_MODE", "strict")
    get_settings.cache_clear()
    try:
        session = life(midday - 60 * MINUTE, 20)
        again = [{**each, "event_id": str(uuid.uuid4())} for each in session[1:-1] * 3]
        outcome = send(student, [*session, *again])["sessions"][0]
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert (outcome["flagged"], outcome["held"], outcome["xp_awarded"]) == (True, True, 0)
    assert xp(student) == 0


def test_more_orphans_than_one_batch_takes_are_found_when_they_come_again(student: Student, midday: datetime) -> None:
    """Only 500 waiting events are applied with their start; the client's next attempt brings the others."""
    session_id = str(uuid.uuid4())
    began = midday - 400 * MINUTE
    beats = [event("heartbeat", session_id, began + n * MINUTE / 2) for n in range(1, 601)]
    for part in (beats[:300], beats[300:]):
        send(student, part)
    assert codes(send(student, [event("start", session_id, began)])) == [None]
    again = send(student, beats[300:])
    assert {r["status"] for r in again["results"]} == {"duplicate"}
    assert student.get("/api/sync/rejected").json()["data"] == []
