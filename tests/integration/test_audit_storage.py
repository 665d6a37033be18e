"""The cost of the audit trail: bytes per row, and pages read per page of entries, for any length."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from local.backends import Backends
from tests.integration.test_space_rules import make_accounts

ROWS, SESSIONS = 20_000, 4_000
KINDS = {
    "a sign-in": "('authentication', 'sign_in', 'account', null, null, null)",
    "a goal": """('data_modification', 'update', 'profile', null, null, '{"daily_goal_minutes": 90}')""",
    "a membership": """('data_modification', 'insert', 'membership', gen_random_uuid(), null, '{"role": "member"}')""",
    "a refusal": "('authorization', 'POST', 'route', null, '/api/spaces/{space_id}/join', null)",
}
FILL = """
insert into audit_log (user_id, occurred_at, success, action, operation, resource_type, resource_id, route, changes)
select %(user)s, internal.clock() - (%(rows)s::int - n) * interval '100 seconds', true,
  v.a::internal.audit_action, v.o, v.t, v.r::uuid, v.p, v.c::jsonb
from generate_series(1, %(rows)s::int) n cross join (values {}) v (a, o, t, r, p, c)
"""
STUDIED = """
insert into study_sessions
  (session_id, user_id, duration_minutes, status, started_at, ended_at, last_activity_at, created_at, updated_at)
select gen_random_uuid(), %(user)s, 25, 'completed', at, at + interval '1 minute', at, at, at
from (select internal.clock() - n * interval '{}' as at from generate_series(1, %(rows)s::int) n) times
"""


@pytest.fixture
def database(backends: Backends) -> Iterator[psycopg.Connection[Any]]:
    """A database of this module's own."""
    with backends.new_project() as project, psycopg.connect(str(project.dsn), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_is_small(database: psycopg.Connection[Any], kind: str) -> None:
    """An entry takes few bytes in table and indexes together."""
    (user,) = make_accounts(database, 1)
    database.execute(FILL.format(KINDS[kind]), {"user": user, "rows": ROWS})  # type: ignore[arg-type]
    database.execute("vacuum (analyze) audit_log")
    row = database.execute("select pg_indexes_size('audit_log'), pg_relation_size('audit_log')").fetchone()
    assert row
    assert sum(row) / ROWS <= 190, (kind, [size / ROWS for size in row])
    assert row[0] / ROWS <= 60


def test_a_session_leaves_no_entry(database: psycopg.Connection[Any]) -> None:
    """A session adds no entry, because its own row has its start and end."""
    (user,) = make_accounts(database, 1)
    count = "select count(*) from audit_log"
    before = database.execute(count).fetchone()
    session = str(uuid.uuid4())
    for function, arguments in (
        ("start_session", {"session_id": session, "duration_minutes": 25}),
        ("complete_session", {"session_id": session, "mode": "soft"}),
    ):
        database.execute(f"select {function}(%s, %s)", [user, psycopg.types.json.Jsonb(arguments)])
    assert database.execute(count).fetchone() == before


def pages_read(connection: psycopg.Connection[Any], call: str, arguments: list[Any]) -> int:
    for _ in range(2):
        row = connection.execute(
            f"explain (analyze, buffers, timing off, format json) select {call}", arguments
        ).fetchone()
    assert row
    return int(row[0][0]["Plan"]["Shared Hit Blocks"] + row[0][0]["Plan"]["Shared Read Blocks"])


def test_a_page_reads_no_more_of_a_long_trail(database: psycopg.Connection[Any]) -> None:
    """First and deep pages read few pages, with thousands of recent sessions, and with none lately."""
    users = dict(zip(("new", "busy", "long ago"), make_accounts(database, 3), strict=True))
    database.execute(FILL.format(KINDS["a goal"]), {"user": users["busy"], "rows": ROWS})  # type: ignore[arg-type]
    database.execute(STUDIED.format("9 minutes"), {"user": users["busy"], "rows": SESSIONS})  # type: ignore[arg-type]
    database.execute(STUDIED.format("1 day"), {"user": users["long ago"], "rows": SESSIONS})  # type: ignore[arg-type]
    recent = "delete from study_sessions where user_id = %s and started_at > internal.clock() - interval '40 days'"
    database.execute(recent, [users["long ago"]])
    for table in ("audit_log", "study_sessions"):
        database.execute(f"vacuum (analyze) {table}")
    read = {name: pages_read(database, "get_audit(%s, 50)", [user]) for name, user in users.items()}
    assert read["busy"] <= 400, read
    assert read["long ago"] <= read["new"] + 50, read
    deep = "get_audit(%s, 50, %s, internal.clock() - interval '20 days', 0, gen_random_uuid())"
    middle = database.execute("select percentile_disc(0.3) within group (order by entry_id) from audit_log").fetchone()
    assert middle
    assert pages_read(database, deep, [users["busy"], middle[0]]) <= 400


def test_refusals_are_counted_without_reading_the_trail(database: psycopg.Connection[Any]) -> None:
    """The twentieth latest refusal is looked up directly, however many other entries there are."""
    (user,) = make_accounts(database, 1)
    database.execute(FILL.format(KINDS["a goal"]), {"user": user, "rows": ROWS})  # type: ignore[arg-type]
    database.execute("vacuum (analyze) audit_log")
    assert pages_read(database, "record_refusal(%s, 'POST', '/api/x')", [user]) <= 100


def test_the_purge_reads_what_it_takes(database: psycopg.Connection[Any]) -> None:
    """The hourly purge uses an index: it costs nothing when idle, and deletes no entry younger than 30 days."""
    (user,) = make_accounts(database, 1)
    arguments = {"user": user, "rows": 30_000}  # nearly 35 days
    database.execute(FILL.format(KINDS["a goal"]), arguments)  # type: ignore[arg-type]
    database.execute("vacuum (analyze) audit_log")
    old = "select count(*) from audit_log where occurred_at < internal.clock() - interval '30 days'"
    before = database.execute(old).fetchone()
    total = 0
    while purged := database.execute("select purge_audit_log(1000)").fetchone():
        assert purged[0] <= 1000
        total += purged[0]
        if not purged[0]:
            break
    left = database.execute(old).fetchone()
    assert before
    assert left
    assert total == before[0] - left[0] > 3_000
    assert left[0] <= 36  # of the hour that is not over
    database.execute("vacuum audit_log")
    assert pages_read(database, "purge_audit_log()", []) <= 50
