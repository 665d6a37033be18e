"""What does not grow: the work for an event with those before it, for a change with the sessions of everybody."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.harness import Figure, Row, Stage, timed
from benchmarks.rows._database import Connection, begin_session, complete_session, random_users, students

EVENTS = (1, 30, 360, 1_500)
ROUNDS, CHANGES, SESSIONS = 40, 100, 1_000_000
_NOTE = "In the database, round trip on a warm connection included."
# Sessions of others, as many as a year of a large school leaves behind.
_FILL = """
insert into study_sessions (session_id, user_id, duration_minutes, status, started_at, last_activity_at, ended_at,
                            xp_awarded, total_xp, change_seq, archived)
select gen_random_uuid(), user_id, 25, 'completed', at, at, at + interval '25 minutes', 35, 35, n, true
from (select user_id from profiles limit 10000) users, generate_series(1, %s) n,
     lateral (select now() - interval '400 days' + n * interval '1 hour' as at) began"""


def run(stage: Stage) -> list[Row]:
    """Heartbeats and completions by the events of the session, batches beside long sessions, changes beside many."""
    with students(stage, 10_000) as (_project, connection):
        users = random_users(connection, 400)
        beats = {events: _times(stage, connection, users, events, _beat) for events in EVENTS}
        completed = {events: _times(stage, connection, users, events, _complete) for events in EVENTS}
        rows = [
            _ratio("a heartbeat in a session of 1,500 events", "at most 1.2 x of 1", 1.2, beats, 1_500, 1),
            _ratio("completing a session of 1,500 events", "at most 1.5 x of 30", 1.5, completed, 1_500, 30),
            _batches(stage, connection, users),
            _changes(stage, connection, users),
        ]
    return rows


def _times(
    stage: Stage, connection: Connection, users: list[str], events: int, work: Callable[[Connection, str, str], None]
) -> Figure:
    samples = []
    with stage.bar(f"{work.__name__.strip('_')} at {events:,} events", ROUNDS) as advance:
        for number in range(-5, ROUNDS):
            user = users[number % len(users)]
            session = begin_session(connection, user, heartbeats=events - 1, gap_seconds=1.0)
            spent = timed(lambda user=user, session=session: work(connection, user, session))  # type: ignore[misc]
            _forget(connection, session)
            if number >= 0:
                samples.append(spent)
            advance()
    return Figure.of(f"{events:,} events", samples)


def _forget(connection: Connection, session: str) -> None:
    connection.execute("delete from study_sessions where session_id = %s", [session])


def _beat(connection: Connection, user: str, session: str) -> None:
    event = {"session_id": session, "event_id": str(uuid4()), "event_type": "heartbeat"}
    connection.execute("select record_session_event(%s, %s)", [user, Jsonb(event)])


def _complete(connection: Connection, user: str, session: str) -> None:
    complete_session(connection, user, session)


def _ratio(name: str, promise: str, limit: float, found: dict[int, Figure], many: int, few: int) -> Row:
    ratio = found[many].median / found[few].median
    return Row(
        name, promise, ratio, limit, "ms", list(found.values()), value_label="ratio of the medians", value_unit="", note=_NOTE
    )


def _batches(stage: Stage, connection: Connection, users: list[str]) -> Row:
    """500 events that alternate between two open sessions, empty ones and ones of 30,000 events."""
    figures = {}
    for events in (1, 30_000):
        samples = []
        user = users[200 + events % 2]
        sessions = [begin_session(connection, user, heartbeats=events - 1, gap_seconds=0.01)]
        connection.execute("update study_sessions set replayed = true, background = true where session_id = %s", sessions)
        sessions.append(begin_session(connection, user, heartbeats=events - 1, gap_seconds=0.01))
        with stage.bar(f"Batches beside {events:,} events", ROUNDS) as advance:
            for _ in range(ROUNDS):
                batch = _alternating(connection, sessions)
                samples.append(timed(lambda user=user, batch=batch: _send(connection, user, batch)))  # type: ignore[misc]
                advance()
        figures[events] = Figure.of(f"beside {events:,} events each", samples)
    return _ratio(
        "500 events that alternate between two sessions of 30,000 events", "at most 1.5 x of empty ones", 1.5, figures, 30_000, 1
    )


def _alternating(connection: Connection, sessions: list[str]) -> list[dict[str, Any]]:
    row = connection.execute("select now()").fetchone()
    assert row is not None
    return [
        {
            "event_id": str(uuid4()), "session_id": sessions[number % 2], "event_type": "heartbeat", "payload": {},
            "created_at": row[0].isoformat(), "fingerprint": str(number),
        }
        for number in range(500)
    ]  # fmt: skip


def _send(connection: Connection, user: str, batch: list[dict[str, Any]]) -> None:
    arguments = Jsonb({"events": batch, "mode": "soft"})
    row = connection.execute("select sync_offline(%s, %s) ->> 'synced_count'", [user, arguments]).fetchone()
    if row != (str(len(batch)),):
        raise RuntimeError(f"{row} of {len(batch)} events applied")


def _changes(stage: Stage, connection: psycopg.Connection[Any], users: list[str]) -> Row:
    connection.execute("set session_replication_role = replica")
    connection.execute(_FILL, [SESSIONS // 10_000])
    connection.execute("set session_replication_role = default")
    connection.execute("update user_change_counters set seq = 100000")
    connection.execute("analyze study_sessions")
    samples = []
    with stage.bar(f"{CHANGES} changes beside {SESSIONS:,} sessions", ROUNDS) as advance:
        for user in users[:ROUNDS]:
            samples.append(timed(lambda user=user: connection.execute("select get_changes(%s, 0, 100)", [user])))  # type: ignore[misc]
            advance()
    figure = Figure.of(f"{CHANGES} changes", samples)
    return Row(
        f"{CHANGES} changes of a student at a million sessions", "within 20 ms in the database", statistics.median(samples),
        20.0, "ms", [figure], note=_NOTE,
    )  # fmt: skip
