"""Events of ended sessions: a compact trail that reads like the original events."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from sessions.service import close_silent_sessions
from testing.client import Api, Student
from testing.clock import DatabaseClock
from testing.offline import MINUTE, codes, event, life, send
from testing.timeline import violations

pytestmark = pytest.mark.own_servers  # pages that the rows of other tests half fill would be counted
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
BYTES_AN_HOUR = 2048  # the most that an hour of study may take in the database a day later, indexes included


@pytest.fixture(autouse=True)
def _noon(clock: DatabaseClock) -> None:
    clock.set(NOON)


def archive(api: Api, clock: DatabaseClock) -> None:
    """Let a day pass, and run the schedule."""
    clock.advance(hours=25)
    api.run(close_silent_sessions())


def trail(student: Student, session_id: str) -> list[dict[str, Any]]:
    """The events of a session as the API lists them."""
    data: list[dict[str, Any]] = student.get(f"/api/sessions/{session_id}/audit").json()["data"]
    return data


def without_ids(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Events without the ids of heartbeats, of which an archive keeps only four bytes."""
    return [{**e, "event_id": None} if e["event_type"] == "heartbeat" else e for e in events]


def rows(sql: psycopg.Connection[Any], session_id: str) -> int:
    """The number of rows of the session's events."""
    found = sql.execute("select count(*) from session_events where session_id = %s", [session_id]).fetchone()
    assert found is not None
    count: int = found[0]
    return count


def test_a_trail_reads_as_the_events_did(
    api: Api, student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """Types, times, claims, sources and payloads are unchanged a day and a month after the end."""
    session_id = student.start(60)
    path = f"/api/sessions/{session_id}"
    for number in range(12):
        clock.advance(minutes=3, seconds=number, milliseconds=number * 7)
        body = {} if number % 3 else {"timestamp": (clock.now() + timedelta(seconds=2 - number)).isoformat()}
        student.post(f"{path}/heartbeat", body)
        if number % 4 == 0:
            student.post(f"{path}/audit", {"event_type": "note", "payload": {"n": number, "text": 'ü " \\ 😀'}})
            student.post(f"{path}/audit", {"event_type": ["break_start", "break_end"][number // 4 % 2]})
    student.complete(session_id)
    before = trail(student, session_id)
    assert len(before) == 20
    archive(api, clock)
    assert rows(sql, session_id) == 0
    after = trail(student, session_id)
    assert without_ids(after) == without_ids(before)
    assert len({e["event_id"] for e in after}) == 20
    clock.advance(days=29)
    api.run(close_silent_sessions())
    assert trail(student, session_id) == after


def test_trails_go_after_90_days(
    api: Api, student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """The session itself stays, with its result."""
    session_id = student.start(25)
    outcome = student.complete(session_id)
    archive(api, clock)
    clock.advance(days=89)
    api.run(close_silent_sessions())
    assert len(trail(student, session_id)) == 2
    clock.advance(days=2)
    api.run(close_silent_sessions())
    assert trail(student, session_id) == []
    assert sql.execute("select count(*) from session_trails where session_id = %s", [session_id]).fetchone() == (0,)
    assert student.post(f"/api/sessions/{session_id}/complete").json()["data"] == outcome


def test_a_page_of_a_trail_begins_where_the_last_ended(api: Api, student: Student, clock: DatabaseClock) -> None:
    """Cursors work in a trail as in rows, even among events of one moment."""
    session = life(NOON - 60 * MINUTE, 30)
    session += [event("focus_start", session[0]["session_id"], NOON - 50 * MINUTE) for _ in range(3)]
    send(student, session)
    archive(api, clock)
    session_id, found, cursor = session[0]["session_id"], [], ""
    while cursor is not None:
        page = student.get(f"/api/sessions/{session_id}/audit", params={"limit": 2, "cursor": cursor}).json()
        found, cursor = found + page["data"], page["next_cursor"]
    assert found == trail(student, session_id)
    assert len(found) == 10


@pytest.mark.parametrize("with_ids", [True, False])
def test_a_batch_is_known_after_it_was_archived(
    api: Api, student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any], *, with_ids: bool
) -> None:
    """A week later every event is a duplicate with its outcome; another start under the session's id is refused."""
    batch = life(NOON - 60 * MINUTE, 30)
    if not with_ids:
        for each in batch:
            del each["event_id"]
    first = send(student, batch)
    archive(api, clock)
    clock.advance(days=6)
    again = send(student, batch)
    assert (again["duplicate_count"], again["sessions"]) == (len(batch), first["sessions"])
    if with_ids:
        other = {**batch[0], "event_payload": {"duration_minutes": 5}}
        assert codes(send(student, [other])) == ["IDEMPOTENCY_KEY_REUSED"]
    late = event("heartbeat", batch[0]["session_id"], NOON - 44 * MINUTE)
    assert codes(send(student, [late])) == [None]
    assert violations(sql) == []


def test_a_session_goes_on_after_it_was_archived(
    api: Api, student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """After it was abandoned as silent and archived, a session accepts its remaining events as if it had not been."""
    whole = life(NOON - 60 * MINUTE, 40)
    send(student, whole[:4])
    clock.advance(minutes=61)
    api.run(close_silent_sessions())
    assert student.get(f"/api/sessions/{whole[0]['session_id']}").json()["data"]["status"] == "abandoned"
    archive(api, clock)
    result = send(student, whole)
    assert [r["status"] for r in result["results"]] == ["duplicate"] * 4 + ["applied"] * 5
    (outcome,) = result["sessions"]
    assert (outcome["focus_seconds"], outcome["xp_awarded"], outcome["suspicion_score"]) == (2400, 50, 0)
    assert rows(sql, whole[0]["session_id"]) == 9  # what the schedule assumed is discarded
    archive(api, clock)
    assert send(student, whole)["duplicate_count"] == 9
    assert violations(sql) == []


def test_a_gap_of_weeks_stays_in_rows(
    api: Api, student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """Events that do not fit a trail are still listed, and are deleted when a trail would be."""
    session_id, start = str(uuid.uuid4()), NOON - timedelta(days=29)
    send(student, [event("start", session_id, start), event("complete", session_id, NOON - MINUTE)])
    before = trail(student, session_id)
    archive(api, clock)
    assert trail(student, session_id) == before
    clock.advance(days=91)
    api.run(close_silent_sessions())
    assert (trail(student, session_id), rows(sql, session_id)) == ([], 0)
    assert sql.execute("select count(*) from session_events where session_id = %s", [session_id]).fetchone() == (0,)


def size(sql: psycopg.Connection[Any]) -> int:
    """The size in bytes of all our tables with indexes, without dead rows."""
    tables = "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
    names = [row[0] for row in sql.execute(tables).fetchall()]
    for name in names:
        sql.execute(f"vacuum full {name}")
    total = 0
    for name in names:
        row = sql.execute("select pg_total_relation_size(%s)", [name]).fetchone()
        assert row is not None
        total += row[0]
    return total


@pytest.mark.parametrize("online", [True, False])
def test_an_hour_of_study_leaves_little(
    api: Api, clock: DatabaseClock, sql: psycopg.Connection[Any], *, online: bool
) -> None:
    """Sixty heartbeats and four other events take at most 2 KB a day later, indexes included.

    The students have studied before, so that their first rows and the tables' first pages do not count.
    """
    students, sizes = [api.student() for _ in range(25)], []
    for days in (range(2), range(2, 8)):
        for day in days:
            for student in students:
                if online:
                    _study_online(sql, clock, student, NOON + timedelta(days=day))
                else:
                    _study_offline(clock, student, NOON + timedelta(days=day))
        clock.reset()
        clock.set(NOON + timedelta(days=days[-1], hours=2))
        archive(api, clock)
        sizes.append(size(sql))
    assert (sizes[1] - sizes[0]) / (6 * len(students)) <= BYTES_AN_HOUR


def _study_online(sql: psycopg.Connection[Any], clock: DatabaseClock, student: Student, start: datetime) -> None:
    session_id = str(uuid.uuid4())

    def call(function: str, after: timedelta, **arguments: Any) -> None:
        clock.freeze(start + after)
        whole = Jsonb({"session_id": session_id, "mode": "soft", **arguments})
        sql.execute(f"select {function}(%s, %s)", [student.user_id, whole])

    kinds = ["heartbeat"] * 60
    kinds[20:20], kinds[25:25] = ["break_start"], ["break_end"]
    call("start_session", timedelta(), duration_minutes=60, subject="Algebra")
    for number, kind in enumerate(kinds):
        after = timedelta(seconds=57 * number + 11, milliseconds=number * 37 % 900)
        claim = (start + after + timedelta(milliseconds=number * 13 % 400)).isoformat()
        call("record_session_event", after, event_id=str(uuid.uuid4()), event_type=kind, timestamp=claim)
    call("complete_session", timedelta(hours=1))


def _study_offline(clock: DatabaseClock, student: Student, start: datetime) -> None:
    session_id = str(uuid.uuid4())
    beats = [
        event("heartbeat", session_id, start + n * MINUTE + timedelta(seconds=37, milliseconds=n)) for n in range(60)
    ]
    breaks = [
        event("break_start", session_id, start + 20 * MINUTE),
        event("break_end", session_id, start + 25 * MINUTE),
    ]
    first = event("start", session_id, start, event_payload={"duration_minutes": 60, "subject": "Algebra"})
    last = event("complete", session_id, start + 61 * MINUTE)
    clock.freeze(start + 62 * MINUTE)
    send(student, [first, *beats, *breaks, last])
