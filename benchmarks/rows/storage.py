"""Storage that studying takes in the database: per hour of study, and per student and month."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from benchmarks.harness import Figure, Row, Stage
from benchmarks.rows._database import Connection, one, random_users, students
from local.demo import Term, load_term

HOURS, STUDENTS, WEEKS = 600, 1_000, 4
_TABLES = "select oid::regclass::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
_DAY_LATER = """
create or replace function internal.clock() returns timestamptz language sql volatile as
$$ select pg_catalog.clock_timestamp() + interval '25 hours' $$"""


def run(stage: Stage) -> list[Row]:
    """Measure both after sessions have been archived, without dead rows."""
    return [_an_hour(stage), _a_month(stage)]


def _an_hour(stage: Stage) -> Row:
    with students(stage, 1_000) as (_project, connection):
        users = random_users(connection, 300)
        connection.execute("update profiles set created_at = now() - interval '60 days'")
        before = _sizes(connection)
        for number in range(HOURS):
            _study(connection, users[number % len(users)], number // len(users))
        connection.execute(_DAY_LATER)
        _archive(connection)
        after = _sizes(connection)
    figures = [
        Figure.exact(name, (size - before.get(name, 0)) / HOURS)
        for name, size in after.items()
        if size > before.get(name, 0)
    ]
    left = (sum(after.values()) - sum(before.values())) / HOURS
    return Row(
        "storage of an hour of study, a day later", "at most 2 KB, indexes included", left, 2048.0,
        "bytes", sorted(figures, key=lambda figure: -figure.median)[:8],
        note="60 heartbeats and 4 other events, synchronised with client-generated ids; the tables that grew most.",
    )  # fmt: skip


def _a_month(stage: Stage) -> Row:
    with stage.backends.new_project() as project, _connect(project.dsn) as connection:
        before = _sizes(connection)
        load_term(connection, Term(users=STUDENTS, weeks=WEEKS), stage.say(f"A month of {STUDENTS:,} students"))
        connection.execute(_DAY_LATER)
        _archive(connection)
        after = _sizes(connection)
        hours = one(connection, "select sum(focus_seconds) / 3600.0 from study_sessions")
    grown = {name: (size - before[name]) / STUDENTS / 1024 for name, size in after.items()}
    largest = sorted((Figure.exact(name, size) for name, size in grown.items()), key=lambda figure: -figure.median)[:8]
    return Row(
        "storage of a student's month", "no promise", sum(grown.values()), None, "KiB", largest,
        note=f"{float(hours) / STUDENTS:.1f} hours per student in {WEEKS} weeks; docs/scale.md extrapolates.",
    )  # fmt: skip


def _connect(dsn: str) -> Connection:

    return psycopg.connect(dsn, autocommit=True)


def _study(connection: Connection, user: str, day: int) -> None:
    session, start = str(uuid4()), datetime.now(UTC).replace(hour=3) - timedelta(days=20 + day)
    beats = [start + timedelta(minutes=n, milliseconds=n * 37 % 900) for n in range(60)]
    kinds = [("start", start), *(("heartbeat", at) for at in beats)]
    kinds += [("break_start", start + timedelta(minutes=20)), ("break_end", start + timedelta(minutes=25))]
    kinds += [("complete", start + timedelta(minutes=60))]
    events: list[dict[str, Any]] = [
        {
            "event_id": str(uuid4()), "session_id": session, "event_type": kind, "created_at": at.isoformat(),
            "payload": {"duration_minutes": 60} if kind == "start" else {}, "fingerprint": kind,
        }
        for kind, at in kinds
    ]  # fmt: skip
    row = connection.execute(
        "select sync_offline(%s, %s) ->> 'synced_count'", [user, Jsonb({"events": events, "mode": "soft"})]
    ).fetchone()
    if row != (str(len(events)),):
        raise RuntimeError(f"{row} of {len(events)} events applied")


def _archive(connection: Connection) -> None:
    while one(connection, "select archive_sessions()"):
        continue


def _sizes(connection: Connection) -> dict[str, int]:
    """Return the bytes of each table with its indexes, after a full vacuum."""
    names = [row[0] for row in connection.execute(_TABLES).fetchall()]
    for name in names:
        connection.execute(f"vacuum full {name}")  # type: ignore[call-overload]  # names of the catalogue
    return {name: one(connection, "select pg_total_relation_size(%s)", [name]) for name in names}
