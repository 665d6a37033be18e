"""Creates completed sessions in the past: events dated by the test, completed by the database's own functions."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

import psycopg


def completed_session(
    connection: psycopg.Connection[Any],
    user_id: str,
    ended_at: datetime,
    minutes: int,
    space_id: str | None = None,
) -> dict[str, Any]:
    """Insert a session with `minutes` credited minutes that ended at `ended_at`, complete it, and return its outcome.

    If it would overlap another completed session of the user, it is moved to end when that one began.
    """
    while earlier := connection.execute(
        """select min(started_at) from study_sessions
           where user_id = %s and status = 'completed' and started_at < %s and ended_at > %s having count(*) > 0""",
        [user_id, ended_at, ended_at - timedelta(minutes=minutes)],
    ).fetchone():
        ended_at = earlier[0]
    session_id, started_at = uuid.uuid4(), ended_at - timedelta(minutes=minutes)
    connection.execute(
        """insert into study_sessions
             (session_id, user_id, space_id, duration_minutes, started_at, last_activity_at, progress)
           values (%(id)s, %(user)s, %(space)s, 60, %(at)s, %(at)s, internal.initial_progress(%(at)s))""",
        {"id": session_id, "user": user_id, "space": space_id, "at": started_at},
    )
    beats = [started_at + timedelta(minutes=n) for n in range(0, minutes + 1, 5)]
    record(connection, session_id, [("heartbeat", at, None) for at in beats])
    row = connection.execute(
        "select internal.record_completion(s, %s, null, null, 'soft') from study_sessions s where session_id = %s",
        [ended_at, session_id],
    ).fetchone()
    assert row is not None
    outcome: dict[str, Any] = row[0]
    assert outcome["focus_seconds"] == minutes * 60
    return outcome


def record(
    connection: psycopg.Connection[Any],
    session_id: uuid.UUID,
    events: list[tuple[str, datetime, datetime | None]],
) -> None:
    """Record a client's events, each (type, time, claimed time or None), in order of time, as the product does."""
    connection.execute(
        """select internal.record_client_events(%(id)s, (
             select array_agg(row(%(id)s, gen_random_uuid(), kind, at, claim, '{}')::internal.client_event order by n)
             from unnest(%(kinds)s::text[], %(at)s::timestamptz[], %(claims)s::timestamptz[])
               with ordinality e (kind, at, claim, n)))""",
        {
            "id": session_id,
            "kinds": [kind for kind, _, _ in events],
            "at": [at for _, at, _ in events],
            "claims": [claim for _, _, claim in events],
        },
    )


def violations(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return the violations that `check_invariants()` finds; none when all is well."""
    return connection.execute("select * from check_invariants()").fetchall()
