"""Storage quotas of an account, which nobody reaches by studying (docs/contract.md: "Offline sync")."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from testing.client import Student, assert_problem
from testing.clock import DatabaseClock
from testing.offline import MINUTE, codes, event, life, send

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _noon(clock: DatabaseClock) -> None:
    clock.freeze(NOON)


def use(sql: psycopg.Connection[Any], student: Student, **used: int) -> None:
    """Set how much the account has stored today."""
    usage = {"events": 0, "bytes": 0, "sessions": 0, "rejected_bytes": 0} | used
    sql.execute(
        """insert into account_usage (user_id, day, events, bytes, sessions, rejected_bytes)
           values (%(user)s, '2026-03-02', %(events)s, %(bytes)s, %(sessions)s, %(rejected_bytes)s)
           on conflict (user_id) do update set events = excluded.events, bytes = excluded.bytes,
             sessions = excluded.sessions, rejected_bytes = excluded.rejected_bytes""",
        {"user": student.user_id, **usage},
    )


def fill(sql: psycopg.Connection[Any], session_id: str, **counts: int) -> None:
    """Set how many events and breaks a session has."""
    sql.execute(
        "update study_sessions set progress.events = %s, progress.breaks = %s where session_id = %s",
        [counts.get("events", 0), counts.get("breaks", 0), session_id],
    )


@pytest.mark.parametrize("used", [{"events": 99_999}, {"bytes": 4 * 1024 * 1024 - 100}, {"sessions": 2_000}])
def test_a_batch_beyond_the_days_quota_is_refused_whole(
    student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any], used: dict[str, int]
) -> None:
    """A batch over the quota is a 429 with the seconds until midnight UTC; it is applied whole after midnight."""
    batch = life(NOON - 60 * MINUTE, 30)
    batch[1]["event_payload"] = {"text": "x" * 200}
    use(sql, student, **used)
    problem = assert_problem(student.post("/api/sync/offline", {"events": batch}), 429, "QUOTA_EXCEEDED")
    assert problem["details"]["retry_after_seconds"] == 12 * 3600
    assert student.post("/api/sync/offline", {"events": batch}).headers["Retry-After"] == str(12 * 3600)
    assert student.get("/api/sessions").json()["data"] == []
    clock.freeze(NOON + timedelta(hours=12))
    assert send(student, batch)["synced_count"] == len(batch)


def test_repeats_use_no_quota(student: Student, sql: psycopg.Connection[Any]) -> None:
    """A repeated event uses no quota, so a client can always ask again for its outcome."""
    batch = life(NOON - 60 * MINUTE, 30)
    send(student, batch)
    use(sql, student, events=100_000, bytes=4 * 1024 * 1024, sessions=2_000)
    assert send(student, batch)["duplicate_count"] == len(batch)


@pytest.mark.parametrize("used", [{"events": 100_000}, {"bytes": 4 * 1024 * 1024}])
def test_online_events_count_too(student: Student, sql: psycopg.Connection[Any], used: dict[str, int]) -> None:
    """A note over the quota is refused, but completing the session is not."""
    session_id = student.start(25)
    use(sql, student, **used)
    note = {"event_type": "note", "payload": {"text": "one more"}}
    assert_problem(student.post(f"/api/sessions/{session_id}/audit", note), 429, "QUOTA_EXCEEDED")
    student.complete(session_id)


def test_sessions_of_a_day_are_bounded(student: Student, sql: psycopg.Connection[Any]) -> None:
    """The 2,001st start of a day is refused."""
    use(sql, student, sessions=2_000)
    assert_problem(student.post("/api/sessions/start", {"duration_minutes": 25}), 429, "QUOTA_EXCEEDED")


@pytest.mark.parametrize(("counts", "kind"), [({"events": 50_000}, "heartbeat"), ({"breaks": 2_000}, "break_start")])
def test_a_session_takes_a_bounded_number_of_events(
    student: Student, sql: psycopg.Connection[Any], counts: dict[str, int], kind: str
) -> None:
    """Online an event over the limit is a 409, offline one rejected event; the session can still be completed."""
    session_id = student.start(25)
    fill(sql, session_id, **counts)
    body = {"event_type": kind}
    assert_problem(student.post(f"/api/sessions/{session_id}/audit", body), 409, "SESSION_EVENT_LIMIT")
    other = life(NOON - 60 * MINUTE, 20)
    result = send(student, [event(kind, session_id, NOON), *other])
    assert codes(result) == ["SESSION_EVENT_LIMIT", *[None] * len(other)]
    student.complete(session_id)


def test_the_limit_holds_inside_a_batch(student: Student, sql: psycopg.Connection[Any]) -> None:
    """When one place is left, only the first of three events is applied."""
    session_id = student.start(25)
    fill(sql, session_id, events=49_999)
    beats = [event("heartbeat", session_id, NOON + n * timedelta(seconds=1)) for n in range(3)]
    assert codes(send(student, beats)) == [None, "SESSION_EVENT_LIMIT", "SESSION_EVENT_LIMIT"]


def test_twelve_hours_at_one_event_a_second_fit(student: Student, sql: psycopg.Connection[Any]) -> None:
    """The 43,200th heartbeat exceeds no limit of the session or the account."""
    session_id, start = str(uuid.uuid4()), NOON - timedelta(hours=13)
    send(student, [event("start", session_id, start, event_payload={"duration_minutes": 720})])
    fill(sql, session_id, events=43_199)
    use(sql, student, events=43_200)
    assert codes(send(student, [event("heartbeat", session_id, start + timedelta(hours=12))])) == [None]


def test_payloads_that_nobody_can_use_are_bounded_together(
    student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """Over 256 KiB a day, rejected events are kept and listed without their payloads; earlier ones keep theirs."""
    session_id, much = str(uuid.uuid4()), {"efficiency": 101, "text": "x" * 3_000}
    bad = [event("complete", session_id, NOON, event_payload=much) for _ in range(200)]
    assert send(student, bad)["rejected_count"] == 200
    stored = "select sum(octet_length(payload::text)) from rejected_events where user_id = %s"
    assert sql.execute(stored, [student.user_id]).fetchone() == (200 * 2,)
    clock.freeze(NOON + MINUTE)
    kept = event("heartbeat", session_id, NOON, event_payload={"text": "kept"})
    assert codes(send(student, [kept, bad[0]])) == ["SESSION_NOT_FOUND", "VALIDATION_ERROR"]
    newest = student.get("/api/sync/rejected").json()["data"]
    assert {"text": "kept"} in [each["event_payload"] for each in newest]


def test_rejected_events_of_a_day_are_bounded(student: Student, sql: psycopg.Connection[Any]) -> None:
    """All rejections are answered, but only a day's first 10,000 are stored; events waiting for a start count once."""
    waiting = [event("heartbeat", str(uuid.uuid4()), NOON) for _ in range(3)]
    for _ in range(2):
        assert codes(send(student, waiting)) == ["SESSION_NOT_FOUND"] * 3
    used = "select rejected_events from account_usage where user_id = %s"
    assert sql.execute(used, [student.user_id]).fetchone() == (3,)
    sql.execute("update account_usage set rejected_events = 9998 where user_id = %s", [student.user_id])
    more = [event("heartbeat", str(uuid.uuid4()), NOON) for _ in range(5)]
    assert codes(send(student, more)) == ["SESSION_NOT_FOUND"] * 5
    assert len(student.get("/api/sync/rejected").json()["data"]) == 3 + 2


def test_nothing_happened_before_the_account(student: Student, sql: psycopg.Connection[Any]) -> None:
    """Events older than the account are rejected; with a clock two minutes off the session starts with the account."""
    sql.execute("update profiles set created_at = %s where user_id = %s", [NOON - 60 * MINUTE, student.user_id])
    before = life(NOON - 90 * MINUTE, 20)
    assert codes(send(student, before)) == ["EVENT_BEFORE_ACCOUNT"] * len(before)
    close = life(NOON - 61 * MINUTE, 20)
    (outcome,) = send(student, close)["sessions"]
    assert outcome["focus_seconds"] == 19 * 60
    assert (
        student.get(f"/api/sessions/{close[0]['session_id']}").json()["data"]["started_at"]
        == "2026-03-02T11:00:00.000000Z"
    )


def test_hundreds_of_one_minute_sessions_are_worth_little(student: Student, sql: psycopg.Connection[Any]) -> None:
    """Bonuses are paid once a day from 25 minutes on, so hundreds of one-minute sessions pay one minute each."""
    batches = []
    for day in range(5):
        first = NOON - timedelta(days=day + 1)
        batches.append([e for n in range(100) for e in life(first + 2 * n * MINUTE, 1)])
    outcomes = [o for batch in batches for o in send(student, batch)["sessions"]]
    assert len(outcomes) == 5 * 100
    assert {source for o in outcomes for source in o["xp_breakdown"]} <= {"session", "streak_bonus", "milestone_500"}
    streak = sum(o["xp_breakdown"].get("streak_bonus", 0) for o in outcomes)
    assert streak <= 50 * 5
    assert max(o["suspicion_score"] for o in outcomes) > 0


def test_an_account_is_in_200_spaces_at_most(student: Student, sql: psycopg.Connection[Any]) -> None:
    """The 201st space is refused, created or joined, and leaving one makes room."""
    sql.execute(
        """with made as (
             insert into spaces (space_id, name, visibility, invite_code, member_count)
             select gen_random_uuid(), 'Full', 'private', gen_random_uuid()::text, 1 from generate_series(1, 200)
             returning space_id)
           insert into space_members (space_id, user_id, role, joined_at)
           select space_id, %s, 'owner', now() from made""",
        [student.user_id],
    )
    space = {"name": "One more", "visibility": "public"}
    assert_problem(student.post("/api/spaces/create", space), 409, "TOO_MANY_SPACES")
    own = student.get("/api/spaces/mine").json()["data"][0]["space_id"]
    assert student.delete(f"/api/spaces/{own}").status_code == 200
    assert student.post("/api/spaces/create", space).status_code == 201


def test_the_hundred_last_clients_are_known(
    student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """A user who invents client names cannot fill the table: only the last hundred are kept."""
    for number in range(103):
        clock.freeze(NOON + timedelta(seconds=number))
        send(student, [event("heartbeat", str(uuid.uuid4()), NOON)], client_id=f"phone {number}")
    count = sql.execute("select count(*) from sync_clients where user_id = %s", [student.user_id]).fetchone()
    assert count == (100,)
    newest = student.get("/api/sync/status", params={"client_id": "phone 102"}).json()["data"]
    assert (newest["rejected_count"], newest["applied_count"]) == (1, 0)
