"""Offline batches as clients send them, and catching up."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.client import Api, Student, assert_problem
from tests.support.clock import DatabaseClock

MINUTE = timedelta(minutes=1)


def event(kind: str, session_id: str, at: datetime, **more: Any) -> dict[str, Any]:
    return {
        "event_id": str(uuid.uuid4()), "session_id": session_id, "event_type": kind,
        "created_at": at.isoformat(), **more,
    }  # fmt: skip


def life(start: datetime, minutes: int = 30, session_id: str | None = None, **payload: Any) -> list[dict[str, Any]]:
    """A whole session with a heartbeat every 5 minutes."""
    session_id = session_id or str(uuid.uuid4())
    beats = [event("heartbeat", session_id, start + n * MINUTE) for n in range(5, minutes, 5)]
    first = event("start", session_id, start, event_payload={"duration_minutes": minutes, **payload})
    last = event("complete", session_id, start + minutes * MINUTE, event_payload={"efficiency": 90})
    return [first, *beats, last]


def send(student: Student, events: list[Any], **more: Any) -> dict[str, Any]:
    response = student.post("/api/sync/offline", {"events": events, **more})
    assert response.status_code == 200, response.text
    result: dict[str, Any] = response.json()["data"]
    assert len(result["results"]) == len(events)
    counts = [r["status"] for r in result["results"]]
    assert result["synced_count"] == counts.count("applied")
    assert result["duplicate_count"] == counts.count("duplicate")
    assert result["rejected_count"] == counts.count("rejected")
    return result


def codes(result: dict[str, Any]) -> list[str | None]:
    return [r["error_code"] for r in result["results"]]


def xp(student: Student) -> int:
    total: int = student.get("/api/users/me").json()["data"]["xp"]
    return total


@pytest.fixture
def noon(clock: DatabaseClock) -> datetime:
    """Today's noon, with the clock at six in the evening."""
    clock.set(datetime(2032, 5, 5, 18, tzinfo=UTC))
    return datetime(2032, 5, 5, 12, tzinfo=UTC)


def test_a_week_offline_pays_as_online(student: Student, noon: datetime) -> None:
    """Seven days of sessions in one batch: XP, streak, badges and boards as if each had come when it happened."""
    days = [noon - timedelta(days=n) for n in range(6, -1, -1)]
    result = send(student, [e for day in days for e in life(day)], client_id="phone")
    assert result["rejected_count"] == 0
    outcomes = result["sessions"]
    assert [o["xp_breakdown"] for o in outcomes[:6]] == [{"session": 30, "focus_bonus": 10}] * 6
    assert outcomes[6]["xp_breakdown"] == {"session": 30, "focus_bonus": 10, "streak_bonus": 2}
    assert (outcomes[6]["current_streak"], outcomes[6]["new_badges"]) == (7, ["7_day_streak"])
    assert xp(student) == 282
    week = student.get("/api/gamification/leaderboard/weekly").json()["data"]["me"]["xp"]
    assert week == 40 + 40 + 42  # the 5th of May 2032 is a Wednesday
    assert student.get("/api/sessions", params={"status": "completed"}).json()["data"][0]["efficiency"] == 90


def test_a_batch_sent_again_changes_nothing(student: Student, noon: datetime) -> None:
    """Every event is a duplicate with its first outcome, and the sessions come with theirs."""
    batch = life(noon)
    first = send(student, batch)
    again = send(student, batch)
    assert {r["status"] for r in again["results"]} == {"duplicate"}
    assert again["sessions"] == first["sessions"]
    assert xp(student) == first["sessions"][0]["total_xp"]


def test_20_at_once_apply_a_batch_once(api: Api, student: Student, noon: datetime) -> None:
    """However many workers send it, each event is applied by one of them."""
    batch = {"events": life(noon)}
    responses = api.at_once([api.send("POST", "/api/sync/offline", token=student.token, json=batch) for _ in range(20)])
    results = [r.json()["data"] for r in responses]
    assert sum(r["synced_count"] for r in results) == len(batch["events"])
    assert len({str(r["sessions"]) for r in results}) == 1
    assert xp(student) == results[0]["sessions"][0]["total_xp"]


def test_a_batch_cut_anywhere_is_completed_by_the_rest(student: Student, noon: datetime) -> None:
    """Overlapping pieces end as the whole would have."""
    batch = life(noon)
    send(student, batch[:4])
    result = send(student, batch[2:])
    assert [r["status"] for r in result["results"]] == ["duplicate", "duplicate"] + ["applied"] * (len(batch) - 4)
    assert result["sessions"][0]["focus_seconds"] == 1800


def test_events_are_put_in_order(student: Student, noon: datetime) -> None:
    """The order in the batch does not matter, the times do."""
    result = send(student, life(noon)[::-1])
    assert result["rejected_count"] == 0
    assert result["sessions"][0]["focus_seconds"] == 1800


def test_events_wait_for_their_start(student: Student, noon: datetime) -> None:
    """What comes before its start is rejected, and applied by itself when the start arrives."""
    batch = life(noon)
    early = send(student, batch[1:])
    assert set(codes(early)) == {"SESSION_NOT_FOUND"}
    assert xp(student) == 0
    late = send(student, batch[:1])
    assert late["results"][0]["status"] == "applied"
    assert xp(student) == 40
    again = send(student, batch)
    assert {r["status"] for r in again["results"]} == {"duplicate"}
    assert again["sessions"][0]["focus_seconds"] == 1800
    assert student.get("/api/sync/rejected").json()["data"] == []


def test_one_bad_event_never_blocks_the_rest(student: Student, noon: datetime) -> None:
    """Bad events are rejected with a reason, kept and listed; the others are applied."""
    good = life(noon)
    session_id = good[0]["session_id"]
    bad: list[Any] = [
        event("party", session_id, noon),
        event("heartbeat", "no-uuid", noon),
        {"event_type": "heartbeat", "session_id": session_id},
        "nonsense",
        None,
        event("heartbeat", session_id, noon, event_payload={"text": "x" * 5000}),
        event("heartbeat", session_id, noon, event_payload={"text": "nul\0"}),
        event("start", str(uuid.uuid4()), noon, event_payload={"duration_minutes": 100_000}),
        event("complete", session_id, noon, event_payload={"efficiency": 101}),
        {**event("heartbeat", session_id, noon), "created_at": "yesterday"},
        event("heartbeat", session_id, noon, event_payload=[1, 2]),
    ]
    result = send(student, [*bad, *good])
    assert codes(result)[: len(bad)] == ["VALIDATION_ERROR"] * len(bad)
    assert all(r["message"] for r in result["results"][: len(bad)])
    assert result["sessions"][0]["focus_seconds"] == 1800
    listed = student.get("/api/sync/rejected", params={"limit": 100}).json()["data"]
    assert len({e["event_id"] for e in listed}) == len(bad)
    assert codes(send(student, bad)) == ["VALIDATION_ERROR"] * len(bad)
    assert len(student.get("/api/sync/rejected", params={"limit": 100}).json()["data"]) == len(bad)


def test_time_is_the_clients_corrected_by_sent_at(student: Student, noon: datetime, clock: DatabaseClock) -> None:
    """A phone whose clock is a day ahead or behind is credited the right time on the right day."""
    for hours, start in ((24, noon), (-24, noon + timedelta(hours=2))):
        skew = timedelta(hours=hours)
        batch = life(start + skew)
        result = send(student, batch, sent_at=(clock.now() + skew).isoformat())
        assert result["rejected_count"] == 0, result
        assert result["sessions"][0]["focus_seconds"] == 1800
        ended_at = datetime.fromisoformat(result["sessions"][0]["ended_at"])
        assert abs(ended_at - (start + 30 * MINUTE)) < timedelta(seconds=2)


def test_the_future_and_the_distant_past_are_refused(student: Student, noon: datetime, clock: DatabaseClock) -> None:
    """Two minutes ahead are let pass, and thirty days back."""
    now = clock.now()
    result = send(student, life(now + 5 * MINUTE)[:1] + life(now - timedelta(days=31))[:1])
    assert codes(result) == ["EVENT_IN_FUTURE", "EVENT_TOO_OLD"]
    result = send(student, life(now - timedelta(days=29)) + life(now + MINUTE)[:1])
    assert result["rejected_count"] == 0


def test_sessions_must_not_overlap(student: Student, noon: datetime) -> None:
    """A session inside, around or across another one is refused, online ones count too."""
    send(student, life(noon, 60))
    inside = send(student, life(noon + 10 * MINUTE, 10))
    assert codes(inside)[0] == "SESSION_OVERLAP"
    around = send(student, life(noon - 10 * MINUTE, 120))
    assert codes(around)[0] is None
    assert codes(around)[-1] == "SESSION_OVERLAP"
    assert around["sessions"] == []
    assert xp(student) == 70
    online = student.start(30)
    assert codes(send(student, [event("start", str(uuid.uuid4()), noon + timedelta(hours=5, minutes=59))]))[0] is None
    student.post(f"/api/sessions/{online}/abandon")


def test_clocks_that_differ_a_little_do_not_make_sessions_overlap(
    student: Student, noon: datetime, clock: DatabaseClock
) -> None:
    """A phone some seconds slow or fast: sessions that follow each other are moved side by side, and both are paid."""
    online = student.start(30)
    clock.advance(minutes=2)
    student.complete(online)
    ended = clock.now()
    slow = life(ended - timedelta(seconds=20), 10)  # the slow phone begins its next session
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
    assert fast["sessions"][0]["focus_seconds"] in range(495, 505)
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == next_online


def test_sessions_begun_offline_side_by_side_are_not_paid_twice(
    student: Student, noon: datetime, clock: DatabaseClock
) -> None:
    """Five starts seconds apart: online only one of them goes on, and only one is paid for the hour."""
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
    """Whoever was removed from the space while offline keeps the session, without the space."""
    space = api.student().post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    result = send(student, life(noon, 20, space_id=space))
    assert result["rejected_count"] == 0
    session = student.get(f"/api/sessions/{result['sessions'][0]['session_id']}").json()["data"]
    assert (session["space_id"], session["status"]) == (None, "completed")


@pytest.mark.parametrize(
    "bad",
    [
        {"event_type": "\ud800"},
        {"created_at": "0001-01-01T00:00:00Z"},
        {"created_at": "9999-12-31T23:59:59Z"},
        {"user_id": str(uuid.UUID(int=5))},
    ],
    ids=str,
)
def test_an_odd_event_does_not_take_its_batch_down(student: Student, noon: datetime, bad: dict[str, Any]) -> None:
    """Half a character, the first and the last year, somebody else's name: one rejection, and the rest is applied."""
    batch = life(noon)
    odd = json.dumps({"events": [{**event("heartbeat", batch[0]["session_id"], noon), **bad}, *batch]})
    response = student.api.request(
        "POST", "/api/sync/offline", token=student.token, content=odd, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == 200, response.text
    result = response.json()["data"]
    assert codes(result) == ["VALIDATION_ERROR", *[None] * len(batch)]


def test_a_complete_before_its_start_is_refused(student: Student, noon: datetime) -> None:
    """Such an event is rejected; the session can still be completed."""
    session_id = str(uuid.uuid4())
    batch = [event("start", session_id, noon), event("complete", session_id, noon - 10 * MINUTE)]
    assert codes(send(student, batch)) == [None, "EVENT_BEFORE_START"] or codes(send(student, batch[::-1]))
    done = send(student, [event("complete", session_id, noon + 5 * MINUTE)])
    assert done["sessions"][0]["focus_seconds"] == 300


def test_other_users_sessions_do_not_exist(api: Api, student: Student, noon: datetime) -> None:
    """Events for somebody else's session are rejected as those for an unknown one, and change nothing."""
    session_id = student.start(30)
    other = api.student()
    kinds = ["heartbeat", "break_start", "complete", "abandon"]
    result = send(other, [event(kind, session_id, noon) for kind in kinds])
    assert codes(result) == ["SESSION_NOT_FOUND"] * 4
    assert codes(send(other, [event("start", session_id, noon)])) == ["CONFLICT"]
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == session_id
    foreign = other.post(
        "/api/sync/offline", {"events": [event("start", session_id, noon)], "user_id": student.user_id}
    )
    assert_problem(foreign, 403, "AUTHORIZATION_ERROR")


def test_old_clients_events_are_known_by_what_they_say(student: Student, noon: datetime) -> None:
    """Without event_id and without an offset: applied once, and a repeat is a duplicate."""
    batch = [
        {k: v for k, v in e.items() if k != "event_id"} | {"created_at": e["created_at"].removesuffix("+00:00")}
        for e in life(noon)
    ]
    first, again = send(student, batch, last_sync="whenever"), send(student, batch)
    assert first["synced_count"] == again["duplicate_count"] == len(batch)
    assert [r["event_id"] for r in first["results"]] == [r["event_id"] for r in again["results"]]
    unknown = {"session_id": str(uuid.uuid4()), "event_type": "heartbeat", "created_at": "2032-05-05T12:00:00"}
    assert codes(send(student, [unknown])) == ["SESSION_NOT_FOUND"]


def test_an_event_id_belongs_to_one_event(student: Student, noon: datetime) -> None:
    """The same id with other content is refused, in the same batch or later; the first stays."""
    batch = life(noon)[:2]
    batch.append({**batch[1], "event_type": "break_start"})
    result = send(student, batch)
    assert codes(result) == [None, None, "IDEMPOTENCY_KEY_REUSED"]
    assert codes(send(student, batch[2:])) == ["IDEMPOTENCY_KEY_REUSED"]
    twice = send(student, [batch[1], batch[1]])
    assert [r["status"] for r in twice["results"]] == ["duplicate", "duplicate"]
    trail = student.get(f"/api/sessions/{batch[0]['session_id']}/audit").json()["data"]
    assert [e["event_type"] for e in trail] == ["start", "heartbeat"]


def test_a_session_begun_online_is_completed_offline(student: Student, clock: DatabaseClock) -> None:
    """The phone lost its connection in the middle: the rest of the session comes with the batch."""
    clock.set(datetime(2032, 5, 5, 12, tzinfo=UTC))
    session_id, start = student.start(25), clock.now()
    clock.advance(hours=2)
    rest = [event("heartbeat", session_id, start + n * MINUTE) for n in (5, 10, 15, 20)]
    result = send(student, [*rest, event("complete", session_id, start + 25 * MINUTE)])
    assert result["sessions"][0]["focus_seconds"] // 60 in (24, 25)


def test_a_session_that_the_schedule_gave_up_is_taken_up_again(
    api: Api, student: Student, clock: DatabaseClock
) -> None:
    """An hour of silence was only a lost connection: the batch that explains it is paid."""
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


def test_a_rejected_event_can_be_tried_again(api: Api, student: Student, noon: datetime, clock: DatabaseClock) -> None:
    """After what was in the way is gone, a retry applies the event and what waited for it."""
    session_id, now = str(uuid.uuid4()), clock.now()
    beats = [event("heartbeat", session_id, now + n * MINUTE / 10) for n in (1, 2, 3)]
    assert codes(send(student, beats)) == ["SESSION_NOT_FOUND"] * 3
    path = f"/api/sync/rejected/{beats[0]['event_id']}/retry"
    assert student.post(path).json()["data"]["status"] == "rejected"
    student.start(25, session_id=session_id)
    retried = student.post(path).json()["data"]
    assert (retried["status"], retried["error_code"]) == ("applied", None)
    trail = student.get(f"/api/sessions/{session_id}/audit").json()["data"]
    assert [e["event_type"] for e in trail] == ["start", *["heartbeat"] * 3]
    assert student.get("/api/sync/rejected").json()["data"] == []
    assert student.post(path).json()["data"]["status"] == "applied"
    assert_problem(student.post(f"/api/sync/rejected/{uuid.uuid4()}/retry"), 404, "NOT_FOUND")
    assert_problem(api.student().post(path), 404, "NOT_FOUND")


def catch_up(student: Student, cursor: str | None = None, limit: int = 3) -> tuple[list[dict[str, Any]], str]:
    found = []
    while True:
        response = student.get("/api/sync/changes", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
        assert response.status_code == 200, response.text
        page = response.json()
        found += page["data"]
        cursor = page["cursor"]
        if page["next_cursor"] is None:
            return found, page["cursor"]


def test_a_second_device_catches_up(api: Api, student: Student, noon: datetime) -> None:
    """Sessions, XP, badges, memberships and profile, each as it stands, with tombstones; then only what is new."""
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    batch = life(noon)
    result = send(student, batch)
    student.patch("/api/users/me", {"daily_goal_minutes": 99})
    changes, cursor = catch_up(student)
    state = {(c["kind"], c["id"]): c for c in changes}
    assert state["session", batch[0]["session_id"]]["data"]["status"] == "completed"
    assert state["xp", "me"]["data"] == {"total_xp": 40, "level": 1}
    assert state["badge", "first_session"]["data"]["earned_at"]
    assert state["membership", space]["data"]["role"] == "owner"
    assert state["profile", "me"]["data"]["daily_goal_minutes"] == 99
    assert len(state) == len(changes) == 5
    assert catch_up(student, cursor)[0] == []
    student.post(f"/api/spaces/{space}/leave")
    news, _ = catch_up(student, cursor)
    assert [(c["kind"], c["id"], c["deleted"], c["data"]) for c in news] == [("membership", space, True, None)]
    from_batch, _ = catch_up(student, result["cursor"])
    assert {c["kind"] for c in from_batch} >= {"session", "xp", "profile", "membership"}


def test_what_others_do_to_a_member_is_a_change(api: Api, student: Student) -> None:
    """A promotion and a removal by the owner reach the member's devices."""
    space = student.post("/api/spaces/create", {"name": "S", "visibility": "public"}).json()["data"]["space_id"]
    member = api.student()
    member.post(f"/api/spaces/{space}/join")
    _, cursor = catch_up(member)
    student.patch(f"/api/spaces/{space}/members/{member.user_id}", {"role": "moderator"})
    promoted, cursor = catch_up(member, cursor)
    assert [(c["kind"], c["data"]["role"]) for c in promoted] == [("membership", "moderator")]
    student.delete(f"/api/spaces/{space}/members/{member.user_id}")
    removed, _ = catch_up(member, cursor)
    assert [(c["kind"], c["deleted"]) for c in removed] == [("membership", True)]


def test_cursors_of_others_and_forged_ones_are_refused(api: Api, student: Student) -> None:
    """A cursor is good for the user and the server that made it."""
    from studysync.pagination import encode_cursor

    _, cursor = catch_up(api.student())
    future, negative = encode_cursor([student.user_id, 10**9]), encode_cursor([student.user_id, -1])
    for forged in (cursor, future, negative, encode_cursor([student.user_id, 2**70]), "forged", "e30"):
        assert_problem(student.get("/api/sync/changes", params={"cursor": forged}), 400, "VALIDATION_ERROR")


def test_status_tells_what_the_server_has(student: Student, noon: datetime) -> None:
    """Counts and times of one client, and of all."""
    send(student, [*life(noon), "nonsense"], client_id="phone")
    send(student, life(noon + timedelta(hours=1)), client_id="tablet")
    phone = student.get("/api/sync/status", params={"client_id": "phone"}).json()["data"]
    assert (phone["applied_count"], phone["rejected_count"]) == (len(life(noon)), 1)
    assert datetime.fromisoformat(phone["last_event_at"]) == noon + 30 * MINUTE
    nothing = student.get("/api/sync/status", params={"client_id": "watch"}).json()["data"]
    assert (nothing["applied_count"], nothing["last_synced_at"]) == (0, None)
    assert student.get("/api/sync/status").json()["data"]["applied_count"] == 2 * len(life(noon))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"events": []},
        {"events": {}},
        {"events": None},
        {"events": [{}], "client_id": ""},
        {"events": [{}], "client_id": "nul\0"},
        {"events": [{}], "sent_at": "now"},
        {"events": [{}], "sent_at": 5},
        {"events": [{}], "xp": 1},
    ],
)
def test_batches_that_are_none_are_refused(student: Student, body: dict[str, Any]) -> None:
    """What is no batch is a 400."""
    assert_problem(student.post("/api/sync/offline", body), 400, "VALIDATION_ERROR")


def test_too_many_or_too_large_events_are_a_413(student: Student, noon: datetime) -> None:
    """More than 500 events, or a body over the limit, are refused whole; 500 are taken."""
    beat = event("heartbeat", str(uuid.uuid4()), noon)
    assert_problem(student.post("/api/sync/offline", {"events": [beat] * 501}), 413, "REQUEST_TOO_LARGE")
    large = {**beat, "event_payload": {"text": "x" * 3_000_000}}
    assert_problem(student.post("/api/sync/offline", {"events": [large]}), 413, "REQUEST_TOO_LARGE")
    assert student.get("/api/sync/status").json()["data"]["rejected_count"] == 0
    assert len(send(student, [beat] * 500)["results"]) == 500


def test_a_payload_of_1_mb_is_rejected_by_itself(student: Student, noon: datetime) -> None:
    """The event is rejected and kept without its payload; its neighbours are applied."""
    batch = life(noon)
    batch.insert(1, event("heartbeat", batch[0]["session_id"], noon, event_payload={"text": "x" * 1_000_000}))
    result = send(student, batch)
    assert codes(result).count("VALIDATION_ERROR") == result["rejected_count"] == 1
    assert student.get("/api/sync/rejected").json()["data"][0]["event_payload"] == {}


def test_payloads_without_end_are_rejected_by_themselves(student: Student, noon: datetime) -> None:
    """Nesting that no recursion survives is one rejected event."""
    deep = '{"a":' * 900 + "1" + "}" * 900
    body = (
        f'{{"events": [{{"session_id": "{uuid.uuid4()}", "event_type": "heartbeat", '
        f'"created_at": "{noon.isoformat()}", "event_payload": {deep}}}]}}'
    )
    response = student.api.request(
        "POST", "/api/sync/offline", token=student.token, content=body, headers={"Content-Type": "application/json"}
    )
    assert response.status_code in (200, 400), response.text
    if response.status_code == 200:
        assert codes(response.json()["data"]) == ["VALIDATION_ERROR"]
