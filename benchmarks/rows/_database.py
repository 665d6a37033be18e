"""Databases filled with students, and helpers to work on them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.harness import Stage
from local.demo import Term, load_term
from local.project import Project

Connection = psycopg.Connection[Any]
MILLION = 1_000_000
WARM = (
    "Includes the round trip on a warm connection. Users are random, so rows are as cold as in production. "
    "PostgreSQL has 1 GB of shared buffers."
)
# An active session of 30 minutes, started 30 minutes ago. `_HEARTBEATS` adds its heartbeats.
_SESSION = """
insert into study_sessions (session_id, user_id, duration_minutes, started_at, last_activity_at, progress)
select %(id)s, %(user)s, 30, at, at, internal.initial_progress(at)
from (select now() - interval '30 minutes' as at) began"""
# Move the user's recent sessions back two days, so that the new one does not overlap them and earns full credit.
_MAKE_ROOM = """
update study_sessions set
  credit = null, started_at = started_at - interval '2 days', ended_at = ended_at - interval '2 days'
where user_id = %s and status = 'completed' and ended_at > now() - interval '1 day'"""
# `count` heartbeats, `gap` seconds apart, the last one now.
_HEARTBEATS = """
select internal.record_client_events(%(id)s, array_agg(
  row(%(id)s, gen_random_uuid(), 'heartbeat', at, null, '{}')::internal.client_event order by at))
from (select now() - n * %(gap)s * interval '1 second' as at from generate_series(0, %(count)s - 1) n) heartbeats"""


@contextmanager
def students(stage: Stage, users: int) -> Iterator[tuple[Project, Connection]]:
    """Yield a project and a connection, with `users` students who have few sessions each, however many students."""
    with stage.backends.new_project() as project, psycopg.connect(project.dsn, autocommit=True) as connection:
        term = Term(users=users, weeks=2, density=0.15, details=False)
        load_term(connection, term, stage.say(f"Loading {users:,} students"))
        yield project, connection


def one(connection: Connection, statement: str, parameters: Any = None) -> Any:
    """Return the first column of the first row."""
    row = connection.execute(statement, parameters).fetchone()
    return row[0] if row else None


def random_users(connection: Connection, count: int, seed: int = 1) -> list[str]:
    """Return the ids of up to `count` distinct random students with XP."""
    dice = random.Random(seed)
    starts = sorted(f"{dice.getrandbits(128):032x}" for _ in range(count))
    query = "select user_id::text from user_stats where user_id > %s::uuid and total_xp > 0 order by user_id limit 1"
    users = [one(connection, query, [start]) for start in starts]
    found = list(dict.fromkeys(user for user in users if user))
    dice.shuffle(found)
    return found


def begin_session(connection: Connection, user: str, *, heartbeats: int = 7, gap_seconds: float = 300.0) -> str:
    """Insert an active session of a user with its heartbeats; return its id."""
    session = str(uuid4())
    connection.execute(_MAKE_ROOM, [user])
    connection.execute(_SESSION, {"id": session, "user": user})
    if heartbeats:
        connection.execute(_HEARTBEATS, {"id": session, "count": heartbeats, "gap": gap_seconds})
    return session


def complete_session(connection: Connection, user: str, session: str) -> None:
    """Complete a session with the SQL function the API calls."""
    arguments = f'{{"session_id": "{session}", "mode": "soft"}}'
    connection.execute("select complete_session(%s, %s::jsonb)", [user, arguments])
