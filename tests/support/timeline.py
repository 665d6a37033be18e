"""Completed sessions without waiting for them: events dated by the test, finished by the database's own functions."""

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
    """Insert a session of `minutes` credited minutes that ended at `ended_at`, and finish it; returns its outcome."""
    session_id, started_at = uuid.uuid4(), ended_at - timedelta(minutes=minutes)
    connection.execute(
        """insert into study_sessions (session_id, user_id, space_id, duration_minutes, started_at, last_activity_at)
           values (%s, %s, %s, 60, %s, %s)""",
        [session_id, user_id, space_id, started_at, ended_at],
    )
    connection.execute(
        """insert into session_events (session_id, user_id, source, event_type, occurred_at)
           select %(id)s, %(user)s, 'client', 'heartbeat', at
           from generate_series(%(from)s::timestamptz, %(to)s::timestamptz, interval '5 minutes') at""",
        {"id": session_id, "user": user_id, "from": started_at, "to": ended_at},
    )
    row = connection.execute(
        "select internal.finish_session(s, %s, null, null, 'soft') from study_sessions s where session_id = %s",
        [ended_at, session_id],
    ).fetchone()
    assert row is not None
    outcome: dict[str, Any] = row[0]
    assert outcome["focus_seconds"] == minutes * 60
    return outcome


def violations(connection: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    """Return what the invariants function finds wrong; empty is how it should be."""
    return connection.execute("select * from check_invariants()").fetchall()
