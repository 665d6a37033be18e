"""Searches read about as many database pages with many names as with few, and still find every match."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from local.backends import Backends

pytestmark = pytest.mark.slow

FEW, MANY = 8_000, 40_000
# Nearly all names start alike, and so do display names in other scripts.
USERS = """
with made as (
  insert into auth.users (id, email, email_confirmed_at)
  select md5('user ' || n)::uuid, n || '@example.test', now()
  from generate_series(%(from)s::int, %(to)s::int) n returning id
)
insert into profiles (user_id, username, display_name)
select md5('user ' || n)::uuid, 'user_' || n,
  case n %% 4 when 0 then '李明' || n when 1 then 'User Иванов ' || n when 2 then '🎓' else 'user_' || n end
from generate_series(%(from)s::int, %(to)s::int) n
"""
SPACES = """
insert into spaces (space_id, name, visibility, capacity, invite_code, created_at)
select md5('space ' || n)::uuid,
  case n %% 3 when 0 then 'Study group ' || n when 1 then '李明' || n else '___ ' || n end,
  'public', 50, md5('code ' || n), now() - n * interval '1 minute'
from generate_series(%(from)s::int, %(to)s::int) n
"""
QUERIES = [
    None, "___", "%%%", "_", "%", "...", "\\\\\\", "a", "u", "us", "use", "user_", "USER_", "user", "ser_", "_us",
    "r_user", "user_user_user", "u_e", "李", "李明", "明", "明7", "ив", "иванов", "ванов", "🎓", "user_777", "ser_7777",
    "7777", "zzz", "user zzz", "ser иванов 7777", "roup", "study group 77", "tudy roup", "e" * 100, "user_" * 20,
]  # fmt: skip


@pytest.fixture(scope="module")
def databases(backends: Backends) -> Iterator[dict[int, psycopg.Connection[Any]]]:
    """One database with few names and one with many, both analysed as by autovacuum."""
    with (
        backends.new_project() as few,
        backends.new_project() as many,
        psycopg.connect(str(few.dsn), autocommit=True) as one,
        psycopg.connect(str(many.dsn), autocommit=True) as other,
    ):
        found = {FEW: one, MANY: other}
        for number, connection in found.items():
            with connection.transaction():
                connection.execute("set local session_replication_role = replica")
                connection.execute(USERS, {"from": 1, "to": number})
                connection.execute("insert into user_stats (user_id) select user_id from profiles")
                connection.execute(SPACES, {"from": 1, "to": number})
            for table in ("profiles", "user_stats", "spaces", "auth.users"):
                connection.execute(f"vacuum (analyze) {table}")
        yield found


def pages_read(connection: psycopg.Connection[Any], call: str, arguments: list[Any]) -> int:
    """The number of 8 KB pages that one call reads, cached or not."""
    for _ in range(2):  # a connection's first call also reads the catalogue
        row = connection.execute(
            f"explain (analyze, buffers, timing off, format json) select {call}", arguments
        ).fetchone()
    assert row
    plan = row[0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def user_search(query: str | None) -> tuple[str, list[Any]]:
    return "search_users(%s, 50)", [query]


def space_search(query: str | None) -> tuple[str, list[Any]]:
    return "search_spaces(md5('user 1')::uuid, %s, 50)", [query]


@pytest.mark.parametrize("search", [user_search, space_search])
@pytest.mark.parametrize("query", QUERIES, ids=ascii)
def test_the_work_does_not_grow_with_the_names(
    databases: dict[int, psycopg.Connection[Any]], search: Any, query: str | None
) -> None:
    """Five times the names cost at most a third more pages, apart from additional matches, within a fixed bound."""
    call, arguments = search(query)
    few, many = (pages_read(connection, call, arguments) for connection in databases.values())
    row = databases[MANY].execute(f"select {call}", arguments).fetchone()
    assert row
    found = len(row[0].get("users") or row[0].get("spaces") or [])
    assert many <= 1.33 * few + 8 * found + 100, (few, many, found)
    assert many <= 1_500


@pytest.mark.parametrize(
    "query", ["user_39", "_3999", "ser_39", "иванов 39", "李明", "🎓", "39999", "zzz", "___", None], ids=ascii
)
def test_pages_of_users_lead_to_all_of_them(databases: dict[int, psycopg.Connection[Any]], query: str | None) -> None:
    """Pages contain each user once, matching user names first, then display names, then the rest, in bounded steps."""
    connection, found, step, after = databases[MANY], [], 0, ""
    while True:
        row = connection.execute("select search_users(%s, 100, %s, %s)", [query, step, after]).fetchone()
        assert row
        assert len(row[0]["users"]) <= 100
        found += [(user["username"], user["display_name"].lower()) for user in row[0]["users"]]
        if row[0]["next"] is None:
            break
        assert [step, after] != row[0]["next"]
        step, after = row[0]["next"]
    wanted = (query or "").lower()
    anywhere = "position(%(query)s in lower(username)) > 0 or position(%(query)s in lower(display_name)) > 0"
    begins = "starts_with(lower(username), %(query)s) or starts_with(lower(display_name), %(query)s)"
    condition = (
        anywhere if any(run.isalnum() for run in (wanted[n : n + 3] for n in range(len(wanted) - 2))) else begins
    )
    all_of_them = connection.execute(
        f"select username, lower(display_name) from profiles where {condition}", {"query": wanted}
    ).fetchall()
    assert len(found) == len(set(found))
    assert set(found) == set(all_of_them)
    firsts = [0 if name.startswith(wanted) else 1 if shown.startswith(wanted) else 2 for name, shown in found]
    assert firsts == sorted(firsts)


@pytest.mark.parametrize("query", ["study group 39", "oup 3999", "roup", "李明3", "___", "zzz", None], ids=ascii)
def test_pages_of_spaces_lead_to_all_of_them(databases: dict[int, psycopg.Connection[Any]], query: str | None) -> None:
    """Pages contain each space once, newest first, in bounded steps."""
    connection, found, at, after = databases[MANY], [], None, None
    while True:
        arguments = [query, at, after]
        row = connection.execute("select search_spaces(md5('user 1')::uuid, %s, 100, %s, %s)", arguments).fetchone()
        assert row
        found += [space["name"] for space in row[0]["spaces"]]
        if row[0]["next"] is None:
            break
        at, after = row[0]["next"]
    begins = query is not None and not any(query[n : n + 3].isalnum() for n in range(len(query) - 2))
    condition = "starts_with(lower(name), %s)" if begins else "position(%s in lower(name)) > 0"
    all_of_them = connection.execute(
        f"select name from spaces where {condition} order by created_at desc", [query or ""]
    ).fetchall()
    assert [(name,) for name in found] == all_of_them


def test_what_was_never_analysed_is_read_in_bounded_steps(backends: Backends) -> None:
    """Without statistics on letters a search reads all names in bounded steps."""
    with backends.new_project() as project, psycopg.connect(str(project.dsn), autocommit=True) as connection:
        for table in ("profiles", "spaces"):
            connection.execute(f"alter table {table} set (autovacuum_enabled = false)")
        with connection.transaction():
            connection.execute("set local session_replication_role = replica")
            connection.execute(USERS, {"from": 1, "to": 2 * FEW})
            connection.execute("insert into user_stats (user_id) select user_id from profiles")
        call, arguments = user_search("zzz")
        assert pages_read(connection, call, arguments) <= 3_000
        row = connection.execute(f"select {call}", arguments).fetchone()
        assert row
        assert (row[0]["users"], row[0]["next"][0]) == ([], 2)


def test_every_step_is_by_an_index(databases: dict[int, psycopg.Connection[Any]]) -> None:
    """No function that reads names has a plan with a sequential scan."""
    connection = databases[MANY]
    calls = [
        ("users_by_username('user_', 'user_2', 51)", "profiles"), ("users_by_display_name('李', '', 51)", "profiles"),
        ("users_by_trigrams('user_7777', '', 51)", "profiles"), ("newest_spaces(now(), null, 51)", "spaces"),
        ("spaces_by_prefix('study', 51)", "spaces"), ("spaces_by_trigrams('group 7777')", "spaces"),
    ]  # fmt: skip
    for call, table in calls:
        connection.execute("select pg_stat_force_next_flush()")
        before = scans(connection, table)
        connection.execute(f"select count(*) from internal.{call}")
        connection.execute("select pg_stat_force_next_flush()")
        assert scans(connection, table) == before, call


def scans(connection: psycopg.Connection[Any], table: str) -> Any:
    return connection.execute("select seq_scan from pg_stat_user_tables where relname = %s", [table]).fetchone()
