"""A database that contains only what the migrations create."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from local.backends import Backends
from local.migrations import PRELUDE, find_migrations
from local.stack_directory import REPOSITORY


@pytest.fixture(scope="session")
def migrated(shared_backends: Backends) -> Iterator[psycopg.Connection[Any]]:
    """A database migrated file by file without a search path, with every function body checked on creation."""
    name = "in_order"
    with psycopg.connect(shared_backends.postgres.create_database(name), autocommit=True) as connection:
        connection.execute(PRELUDE.read_bytes())
        connection.execute("set check_function_bodies = on; set search_path = ''")
        for migration in find_migrations(REPOSITORY / "supabase" / "migrations"):
            with connection.transaction():
                connection.execute(migration.path.read_bytes())
        yield connection
    shared_backends.postgres.drop_database(name)
