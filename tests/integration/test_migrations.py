"""The migrations as PostgreSQL itself sees them, one file after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from local.backends import Backends
from local.home import REPOSITORY
from local.migrations import PRELUDE, find_migrations


@pytest.fixture(scope="module")
def migrated(backends: Backends) -> Iterator[psycopg.Connection[Any]]:
    """A database that was migrated without a search path, with the bodies of functions checked as each is made."""
    name = "in_order"
    with psycopg.connect(backends.postgres.create_database(name), autocommit=True) as connection:
        connection.execute(PRELUDE.read_bytes())
        connection.execute("set check_function_bodies = on; set search_path = ''")
        for migration in find_migrations(REPOSITORY / "supabase" / "migrations"):
            with connection.transaction():
                connection.execute(migration.path.read_bytes())
        yield connection
    backends.postgres.drop_database(name)


def test_every_name_has_its_schema(migrated: psycopg.Connection[Any]) -> None:
    """No statement needs a search path, nor does the body of any function: each has an empty one."""
    without = migrated.execute(
        """select p.oid::regprocedure::text from pg_proc p
           where p.pronamespace in ('public'::regnamespace, 'internal'::regnamespace)
             and not coalesce('search_path=""' = any (p.proconfig), false)"""
    )
    assert without.fetchall() == []
