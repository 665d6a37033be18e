"""Scaling: the cost of an event as its session grows, and of reading changes as the number of sessions grows."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.harness import Figure, Row, Stage, timed
from benchmarks.rows._database import Connection, begin_session, complete_session, random_users, students

EVENTS = (1, 30, 360, 1_500)
ROUNDS, CHANGES, SESSIONS = 40, 100, 1_000_000
_NOTE = "In the database, including the round trip on a warm connection."
# Other sessions, as many as a large school accumulates in a year.
_FILL = """
insert into study_sessions (session_id, user_id, duration_minutes, status, started_at, last_activity_at, ended_at,
                            xp_awarded, total_xp, change_seq, archived)
select gen_random_uuid(), user_id, 25, 'completed', at, at, at + interval '25 minutes', 35, 35, n, true
from (select user_id from profiles limit 10000) users, generate_series(1, %s) n,
     lateral (select now() - interval '400 days' + n * interval '1 hour' as at) began"""


def run(stage: Stage) -> list[Row]:
    """Measure heartbeats and completions by session length, batches on long sessions, changes among many sessions."""
    with students(stage, 10_000) as (_project, connection):
        users = random_users(connection, 200)
        return [
            _heartbeats(stage, connection, users[: len(EVENTS)]),
            _completions(stage, connection, users[10:]),
            _batches(stage, connection, users[4:6]),
            _changes(stage, connection, users),
        ]


def _heartbeats(stage: Stage, connection: Connection, users: list[str]) -> Row:
    works = {}
    for events, user in zip(EVENTS, users, strict=True):
        session = begin_session(connection, user, heartbeats=events - 1, gap_seconds=1.0)
        works[f"{events:,} events"] = partial(_beat, connection, user, session)
    figures = stage.interleave("Heartbeats", works, ROUNDS)
    return _ratio("a heartbeat in a session of 1,500 events", "at most 1.2 x of 1", 1.2, figures, -1, 0)


def _completions(stage: Stage, connection: Connection, users: list[str]) -> Row:
    samples: dict[int, list[float]] = {events: [] for events in EVENTS}
    with stage.bar("Completions", ROUNDS) as advance:
        for number in range(-3, ROUNDS):
            for place, events in enumerate(EVENTS):
                user = users[(number * len(EVENTS) + place) % len(users)]
                session = begin_session(connection, user, heartbeats=events - 1, gap_seconds=1.0)
                spent = timed(partial(complete_session, connection, user, session))
                if number >= 0:
                    samples[events].append(spent)
            advance()
    figures = [Figure.of(f"{events:,} events", found) for events, found in samples.items()]
    return _ratio("completing a session of 1,500 events", "at most 1.5 x of 30", 1.5, figures, -1, 1)


def _beat(connection: Connection, user: str, session: str) -> None:
    event = {"session_id": session, "event_id": str(uuid4()), "event_type": "heartbeat"}
    connection.execute("select record_session_event(%s, %s)", [user, Jsonb(event)])


def _ratio(name: str, promise: str, limit: float, figures: list[Figure], many: int, few: int) -> Row:
    ratio = figures[many].median / figures[few].median
    return Row(
        name, promise, ratio, limit, "ms", figures, value_label="ratio of the medians", value_unit="", note=_NOTE
    )


def _batches(stage: Stage, connection: Connection, users: list[str]) -> Row:
    """Time batches of 500 events that alternate between two open sessions: new ones, and ones of 30,000 events."""
    open_beside = "update study_sessions set replayed = true, background = true where session_id = %s"
    works: dict[str, Callable[[], object]] = {}
    for events, user in zip((1, 30_000), users, strict=True):
        sessions = [begin_session(connection, user, heartbeats=events - 1, gap_seconds=0.01)]
        connection.execute(open_beside, sessions)
        sessions.append(begin_session(connection, user, heartbeats=events - 1, gap_seconds=0.01))
        works[f"beside {events:,} events each"] = partial(_send, connection, user, sessions)
    figures = stage.interleave("Batches", works, ROUNDS // 2)
    name = "500 events that alternate between two sessions of 30,000 events"
    return _ratio(name, "at most 1.5 x of empty ones", 1.5, figures, 1, 0)


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


def _send(connection: Connection, user: str, sessions: list[str]) -> None:
    batch = _alternating(connection, sessions)
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
            samples.append(timed(partial(connection.execute, "select get_changes(%s, 0, 100)", [user])))
            advance()
    figure = Figure.of(f"{CHANGES} changes", samples)
    return Row(
        f"{CHANGES} changes of a student at a million sessions", "within 20 ms in the database",
        statistics.median(samples), 20.0, "ms", [figure], note=_NOTE,
    )  # fmt: skip
