"""plpgsql_check, as run by `supabase db lint`, over every function body: names, types and volatility.

The PostgreSQL wheel lacks the extension; these tests run where Debian's packages are installed, such as
postgresql-15 and postgresql-15-plpgsql-check.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local.migrations import migrate
from local.postgres import Postgres
from local.stack_directory import REPOSITORY, Ports, StackDirectory

PROGRAMS = [path.parents[1] / "bin" for path in sorted(Path("/usr/lib/postgresql").glob("*/lib/plpgsql_check.so"))]
# A trigger function is checked for each table that uses it.
FINDINGS = """
select p.oid::regprocedure::text, concat_ws(': ', c.message, c.detail)
from pg_proc p
left join (select distinct tgfoid, tgrelid, tgoldtable, tgnewtable from pg_trigger where not tgisinternal) t
  on t.tgfoid = p.oid
cross join lateral plpgsql_check_function_tb(
  p.oid, coalesce(t.tgrelid, 0), oldtable => t.tgoldtable, newtable => t.tgnewtable, extra_warnings => true,
  security_warnings => true, compatibility_warnings => true) c
where p.prolang = (select oid from pg_language where lanname = 'plpgsql')
  and p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
"""
_RAISES = "ends in internal.fail, which raises"
EXCEPTIONS = {
    ("complete_registration(uuid,jsonb)", "control reached end of function without RETURN"): _RAISES,
    ("update_profile(uuid,jsonb)", "control reached end of function without RETURN"): _RAISES,
    (
        "export_account(uuid,text,text[],integer)",
        "text type variable is not sanitized: The EXECUTE expression is SQL injection vulnerable.",
    ): "names come from the catalog and are quoted as they are read",
}

pytestmark = pytest.mark.skipif(not PROGRAMS, reason="the extension plpgsql_check is not installed")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection[Any]]:
    """A migrated database of a server that has the extension."""
    home = StackDirectory(tmp_path_factory.mktemp("checked"))
    home.make()
    postgres = Postgres(home, Ports(home), password="checked", durable=False, programs=PROGRAMS[-1])
    postgres.launch()
    try:
        postgres.wait()
        dsn = postgres.create_database("checked")
        migrate(dsn, REPOSITORY / "supabase" / "migrations")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute("create extension plpgsql_check")
            yield connection
    finally:
        postgres.stop()
        postgres.remove()


def findings(connection: psycopg.Connection[Any]) -> set[tuple[Any, ...]]:
    return set(connection.execute(FINDINGS))


def test_every_body_is_sound(checked: psycopg.Connection[Any]) -> None:
    """There is no error, and no warning except the listed exceptions."""
    assert findings(checked) == set(EXCEPTIONS)


def test_an_unsound_body_is_found(checked: psycopg.Connection[Any]) -> None:
    """A missing column is found, which otherwise shows only when the line runs."""
    with checked.transaction(force_rollback=True):
        checked.execute(
            """create function internal.fault() returns int language plpgsql as
               'begin return (select nothing from public.profiles); end'"""
        )
        assert {function for function, _ in findings(checked) - set(EXCEPTIONS)} == {"internal.fault()"}
