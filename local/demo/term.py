"""Bulk loading of a term: term.sql, step by step, in one transaction and without triggers.

For development databases only: it requires a superuser, and for many students it drops the indexes and rebuilds them at
the end, which locks out everyone else in the meantime.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg
from psycopg import sql

_SQL = Path(__file__).with_name("term.sql")
_STEP = re.compile(r"^-- step: (.+)$", re.MULTILINE)
_MOST_WEEKS = 26  # term.sql numbers the random numbers of a student by day
_MANY = 20_000  # number of students from which bulk loading pays off and details are omitted
_LOADED = (
    "auth.users", "profiles", "user_stats", "spaces", "space_members", "study_days", "xp_ledger", "user_badges",
    "study_sessions", "leaderboard_scores", "user_changes", "session_events", "space_activity",
)  # fmt: skip
_DICE = """
create or replace function pg_temp.dice(n bigint, salt integer) returns double precision language sql immutable as $$
  select (hashint8extended(n * 8192 + salt, {}) & 2147483647)::double precision / 2147483648
$$"""
Connection = psycopg.Connection[Any]
OnStep = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Term:
    """What to generate.

    Args:
        users: number of students, at least 1.
        weeks: how long the term has been going, 1 to 26; None: 12, and 2 for more than 20,000 students.
        seed: the same seed gives the same students and sessions relative to the day of the load.
        account: the id of an existing account that becomes the most diligent student.
        density: how much they study, above 0 to 1; None: 1, and 0.15 for more than 20,000 students.
        details: whether to generate session events and spaces' feeds; None: not for more than 20,000 students.
    """

    users: int = 300
    weeks: int | None = None
    seed: int = 1
    account: UUID | None = None
    density: float | None = None
    details: bool | None = None

    def __post_init__(self) -> None:
        if self.users < 1:
            raise ValueError(f"users must be at least 1, not {self.users}")
        if self.weeks is not None and not 1 <= self.weeks <= _MOST_WEEKS:
            raise ValueError(f"weeks must be from 1 to {_MOST_WEEKS}, not {self.weeks}")
        if self.density is not None and not 0 < self.density <= 1:
            raise ValueError(f"density must be above 0 and at most 1, not {self.density}")

    @property
    def many(self) -> bool:
        """Whether there are so many students that, by default, each gets only a few sessions and no events."""
        return self.users > _MANY


def load_term(
    connection: Connection, term: Term, on_step: OnStep = lambda _title, _done, _of: None, *, vacuum: bool = True
) -> None:
    """Load a term; `on_step` is called with each step's title before it runs, its number and the number of steps.

    Args:
        connection: a superuser's, in autocommit mode.
        term: what to generate.
        on_step: for a progress bar.
        vacuum: vacuum and analyze afterwards, as autovacuum eventually would.
    """
    steps = _steps()
    with connection.transaction():
        connection.execute("set local session_replication_role = replica")
        connection.execute("set local search_path = public, pg_temp")
        connection.execute("set local timezone = 'UTC'")
        connection.execute("set local work_mem = '256MB'")
        connection.execute("set local maintenance_work_mem = '512MB'")
        _prepare(connection, term)
        with _without_indexes(connection) if term.many else _as_they_are(connection):
            for number, (title, statements) in enumerate(steps):
                on_step(title, number, len(steps) + 1)
                connection.execute(statements)
            on_step("Indexes and statistics", len(steps), len(steps) + 1)
    if vacuum:
        for table in (*_LOADED, "leaderboards", "leaderboard_buckets", "user_change_counters"):
            connection.execute(sql.SQL("vacuum (analyze) {}").format(sql.Identifier(*table.split("."))))
    on_step("Done", len(steps) + 1, len(steps) + 1)


def violations(connection: Connection) -> list[tuple[Any, ...]]:
    """Return the violations that the invariants function finds; empty if all is well."""
    return connection.execute("select * from check_invariants()").fetchall()


def _steps() -> list[tuple[str, LiteralString]]:
    _, *parts = _STEP.split(_SQL.read_text(encoding="utf-8"))
    return [(title, cast("LiteralString", text)) for title, text in zip(parts[::2], parts[1::2], strict=True)]


def _prepare(connection: Connection, term: Term) -> None:
    weeks = term.weeks or (2 if term.many else 12)
    connection.execute(sql.SQL(_DICE).format(sql.Literal(term.seed)))
    connection.execute(
        sql.SQL("""create temp table settings on commit drop as
                   select {users} as users, {weeks} as weeks, {seed} as seed, {density}::double precision as density,
                          {details} as details, {account}::uuid as account_id, internal.clock() as now,
                          (internal.clock() at time zone 'UTC')::date as today""").format(
            users=sql.Literal(term.users),
            weeks=sql.Literal(weeks),
            seed=sql.Literal(term.seed),
            density=sql.Literal(term.density or (0.15 if term.many else 1.0)),
            details=sql.Literal(not term.many if term.details is None else term.details),
            account=sql.Literal(term.account),
        )
    )
    connection.execute(
        "create temp table spaces_wanted on commit drop as select greatest(1, users / 10) as spaces from settings"
    )


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Drop the indexes without a constraint, and recreate them from their definitions at the end."""
    indexes = connection.execute(
        """select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i
           where i.indrelid = any (%s::text[]::regclass[])
             and not exists (select from pg_constraint c where c.conindid = i.indexrelid)""",
        [list(_LOADED)],
    ).fetchall()
    for name, _ in indexes:
        connection.execute(sql.SQL("drop index {}").format(sql.SQL(name)))
    yield
    for _, definition in indexes:
        connection.execute(definition)


@contextmanager
def _as_they_are(_connection: Connection) -> Iterator[None]:
    yield
