"""The database's schema: Supabase's own part first, then the project's migrations, each applied once."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import psycopg

from local.errors import StackError
from local.postgres import Postgres, read_sql

PRELUDE = Path(__file__).parent / "sql" / "prelude.sql"
_HISTORY = """
create schema supabase_migrations;
create table supabase_migrations.schema_migrations (
  version text primary key, name text not null, sha text not null, applied_at timestamptz not null default now()
)
"""


@dataclass(frozen=True)
class Migration:
    """A file of `supabase/migrations`, named `<version>_<name>.sql`."""

    path: Path

    @property
    def version(self) -> str:
        """The number by which migrations are ordered."""
        return self.path.stem.partition("_")[0]

    @property
    def name(self) -> str:
        """The description in the file's name."""
        return self.path.stem.partition("_")[2]

    @property
    def sha(self) -> str:
        """The hash of its text."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def find_migrations(folder: Path) -> list[Migration]:
    """The migrations of a folder, in order."""
    return [Migration(path) for path in sorted(folder.glob("*.sql"))]


def fingerprint(folder: Path) -> str:
    """Return a short hash of everything that affects the schema, used to name a template database."""
    digest = hashlib.sha256(PRELUDE.read_bytes())
    for migration in find_migrations(folder):
        digest.update(f"{migration.path.name}\0{migration.sha}\0".encode())
    return digest.hexdigest()[:12]


def migrate(dsn: str, folder: Path) -> list[str]:
    """Apply the migrations that are missing; returns their names."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        if not _has_history(connection):
            with connection.transaction():
                connection.execute(read_sql(PRELUDE))
                connection.execute(_HISTORY)
        migrations = find_migrations(folder)
        applied = _applied(connection, {migration.version: migration.name for migration in migrations})
        pending = [migration for migration in migrations if _is_pending(migration, applied)]
        for migration in pending:
            _apply(connection, migration)
        return [migration.path.name for migration in pending]


def _has_history(connection: psycopg.Connection) -> bool:
    row = connection.execute("select to_regclass('supabase_migrations.schema_migrations') is not null").fetchone()
    return bool(row and row[0])


def _applied(connection: psycopg.Connection, names: dict[str, str]) -> dict[str, str]:
    """Return the hashes of the applied migrations by version; StackError if these migrations do not start with them."""
    applied = {}
    for version, name, sha in connection.execute(
        "select version, name, sha from supabase_migrations.schema_migrations"
    ):
        if names.get(version) != name:
            raise StackError(
                f"The local data was created by other migrations: {version}_{name}.sql does not exist here. Go back to "
                "the code that created it, or run `make clean` to start with an empty database."
            )
        applied[version] = sha
    return applied


def _is_pending(migration: Migration, applied: dict[str, str]) -> bool:
    if migration.version not in applied:
        return True
    if applied[migration.version] != migration.sha:
        raise StackError(
            f"{migration.path.name} was changed after it had been applied here. Revert it and add a new migration, or "
            "run `make clean` to start with an empty database."
        )
    return False


def _apply(connection: psycopg.Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(read_sql(migration.path))
            connection.execute(
                "insert into supabase_migrations.schema_migrations (version, name, sha) values (%s, %s, %s)",
                (migration.version, migration.name, migration.sha),
            )
    except psycopg.Error as error:
        where = f" (character {error.diag.statement_position})" if error.diag.statement_position else ""
        raise StackError(f"{migration.path.name} failed{where}: {error}") from error


def template_database(postgres: Postgres, folder: Path) -> str:
    """Return the name of a database with the whole schema and no rows, created if it does not exist yet."""
    name = f"template_{fingerprint(folder)}"
    if not postgres.has_database(name):
        building = f"{name}_building"
        postgres.drop_database(building)  # of a build that was interrupted
        migrate(postgres.create_database(building), folder)
        postgres.rename_database(building, name)
    return name
