"""When offline sessions happened: wrong clocks, overlaps, and a mix of online and offline."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

from testing.client import Api, Student
from testing.clock import DatabaseClock
from testing.offline import MINUTE, codes, event, life, send, xp


def test_time_is_the_clients_corrected_by_sent_at(student: Student, noon: datetime, clock: DatabaseClock) -> None:
    """A phone whose clock is a day off is credited the right time on the right day, and is informed."""
    for hours, start in ((24, noon), (-24, clock.now() - 30 * MINUTE)):
        skew = timedelta(hours=hours)
        batch = life(start + skew)
        result = send(student, batch, sent_at=(clock.now() + skew).isoformat())
        assert result["rejected_count"] == 0, result
        assert result["clock_offset_seconds"] == -hours * 3600
        assert result["sessions"][0]["focus_seconds"] == 1800
        ended_at = datetime.fromisoformat(result["sessions"][0]["ended_at"])
        assert abs(ended_at - (start + 30 * MINUTE)) < timedelta(seconds=2)


def test_the_future_and_the_distant_past_are_refused(student: Student, noon: datetime, clock: DatabaseClock) -> None:
    """Events up to two minutes ahead and thirty days old are accepted."""
    now = clock.now()
    result = send(student, life(now + 5 * MINUTE)[:1] + life(now - timedelta(days=31))[:1])
    assert codes(result) == ["EVENT_IN_FUTURE", "EVENT_TOO_OLD"]
    result = send(student, life(now - timedelta(days=29)) + life(now + MINUTE)[:1])
    assert result["rejected_count"] == 0


def test_sessions_must_not_overlap(student: Student, noon: datetime) -> None:
    """A session inside another is refused and closed; one that overlaps it is paid for the remaining time."""
    send(student, life(noon, 60))
    inside = life(noon + 10 * MINUTE, 10)
    result = send(student, inside)
    assert (codes(result)[-1], result["sessions"]) == ("SESSION_OVERLAP", [])
    session = student.get(f"/api/sessions/{inside[0]['session_id']}").json()["data"]
    assert (session["status"], datetime.fromisoformat(session["ended_at"])) == ("abandoned", noon + 20 * MINUTE)
    (around,) = send(student, life(noon - 10 * MINUTE, 120))["sessions"]
    assert (around["focus_seconds"], around["clipped_seconds"]) == (3600, 3600)
    assert xp(student) == 70 + 70 + 20
    online = student.start(30)
    assert codes(send(student, [event("start", str(uuid.uuid4()), noon + timedelta(hours=5, minutes=59))]))[0] is None
    student.post(f"/api/sessions/{online}/abandon")


def test_clocks_that_differ_a_little_do_not_make_sessions_overlap(
    student: Student, noon: datetime, clock: DatabaseClock
) -> None:
    """With a phone some seconds slow or fast, consecutive sessions are both paid, and no second twice."""
    online = student.start(30)
    clock.advance(minutes=2)
    student.complete(online)
    ended = clock.now()
    slow = life(ended - timedelta(seconds=20), 10)  # the slow phone starts its next session
    clock.advance(minutes=10)
    done = send(student, slow)
    assert done["rejected_count"] == 0
    assert done["sessions"][0]["focus_seconds"] in range(575, 585)
    clock.advance(minutes=20)
    now = clock.now()
    next_online = student.start(30)
    clock.advance(minutes=3)
    fast = send(student, life(now - 10 * MINUTE + timedelta(seconds=100), 10))  # seems to end 100 s after that start
    assert fast["rejected_count"] == 0
    assert fast["sessions"][0]["focus_seconds"] == 600
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == next_online
    assert student.complete(next_online)["clipped_seconds"] in range(95, 105)


def test_sessions_begun_offline_side_by_side_are_not_paid_twice(
    student: Student, noon: datetime, clock: DatabaseClock
) -> None:
    """Of five starts seconds apart one stays active online, and only one is paid for the hour."""
    now = clock.now()
    starts = [event("start", str(uuid.uuid4()), now - timedelta(seconds=50 - 10 * n)) for n in range(5)]
    assert send(student, starts)["rejected_count"] == 0
    for _ in range(12):
        clock.advance(minutes=5)
        for start in starts:
            student.post(f"/api/sessions/{start['session_id']}/heartbeat")
    answers = [student.post(f"/api/sessions/{start['session_id']}/complete") for start in reversed(starts)]
    assert [answer.status_code for answer in answers] == [200, 409, 409, 409, 409]
    assert xp(student) <= 60 + 10


def test_a_space_that_was_left_meanwhile_does_not_cost_the_session(api: Api, student: Student, noon: datetime) -> None:
    """A user who was removed from the space while offline keeps the session, without the space."""
    space = api.student().post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    result = send(student, life(noon, 20, space_id=space))
    assert result["rejected_count"] == 0
    session = student.get(f"/api/sessions/{result['sessions'][0]['session_id']}").json()["data"]
    assert (session["space_id"], session["status"]) == (None, "completed")


def test_a_complete_before_its_start_is_refused(student: Student, noon: datetime) -> None:
    """A completion before its start is rejected, and the session can still be completed."""
    session_id = str(uuid.uuid4())
    batch = [event("start", session_id, noon), event("complete", session_id, noon - 10 * MINUTE)]
    assert codes(send(student, batch)) == [None, "EVENT_BEFORE_START"] or codes(send(student, batch[::-1]))
    done = send(student, [event("complete", session_id, noon + 5 * MINUTE)])
    assert done["sessions"][0]["focus_seconds"] == 300


def test_a_session_begun_online_is_completed_offline(student: Student, clock: DatabaseClock) -> None:
    """A phone that lost its connection completes the session with the batch."""
    clock.set(datetime(2032, 5, 5, 12, tzinfo=UTC))
    session_id, start = student.start(25), clock.now()
    clock.advance(hours=2)
    rest = [event("heartbeat", session_id, start + n * MINUTE) for n in (5, 10, 15, 20)]
    result = send(student, [*rest, event("complete", session_id, start + 25 * MINUTE)])
    assert result["sessions"][0]["focus_seconds"] // 60 in (24, 25)


def test_a_session_that_the_schedule_gave_up_is_taken_up_again(
    api: Api, student: Student, clock: DatabaseClock
) -> None:
    """After an hour of silence a batch shows that only the connection was lost, and the session is paid."""
    from sessions.service import close_silent_sessions

    clock.set(datetime(2032, 5, 5, 12, tzinfo=UTC))
    session_id, start = student.start(60), clock.now()
    clock.advance(minutes=65)
    api.run(close_silent_sessions())
    assert student.get(f"/api/sessions/{session_id}").json()["data"]["status"] == "abandoned"
    rest = [event("heartbeat", session_id, start + n * MINUTE) for n in range(5, 60, 5)]
    result = send(student, [*rest, event("complete", session_id, start + 60 * MINUTE)])
    assert result["rejected_count"] == 0
    assert result["sessions"][0]["xp_breakdown"]["session"] in (59, 60)
    assert xp(student) == result["sessions"][0]["total_xp"]
