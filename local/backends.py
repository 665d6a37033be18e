"""Everything the functions connect to, as real processes on free ports of 127.0.0.1.

    with Backends(tmp_path, durable=False) as backends:
        os.environ.update(backends.environment)      # SUPABASE_*, AWS_*, RESILIENCE_TABLE
        psycopg.connect(backends.dsn)                # superuser of the migrated database
        with backends.new_project() as project:      # in some 0.4 s: another database, copied from the template,
            project.environment, project.dsn         # with its own PostgREST and auth; dropped at the end

Several can run at once, each in its own home. `postgres`, `project.postgrest`, `project.auth`, `project.gateway` and
`dynamodb` are `Part`s: you can `kill()`, `freeze()`, `thaw()` or `restart()` one while the others keep running. Start
from the main thread, because the kernel ends the processes when the thread that started them ends.
"""

import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from psycopg import sql

from local.dynamodb import DynamoDB
from local.home import REPOSITORY, Home, HomeLock, Ports
from local.keys import load_keys, load_operators
from local.migrations import migrate, template_database
from local.part import Part
from local.postgres import Postgres
from local.processes import end_orphans
from local.project import Project
from local.runtime.logs import EVERYTHING
from local.template import Template

OnEvent = Callable[[str, float, str], None]
DATABASE = "studysync"
_TABLE = "ResilienceTable"  # its logical id in the template
_REMOTE_KEYS = ("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY")
_REMOTE = ("SUPABASE_URL", *_REMOTE_KEYS, "SUPABASE_PUBLISHABLE_KEY", "SUPABASE_ANON_KEY", "SUPABASE_JWT_SECRET",
           "SUPABASE_REST_URL", "SUPABASE_AUTH_URL")  # fmt: skip


def remote_project() -> dict[str, str] | None:
    """The real project that `SUPABASE_URL` and `SUPABASE_SECRET_KEY` of the shell name; None without.

    `SUPABASE_SERVICE_ROLE_KEY` is the key of an older project.
    """
    if not os.environ.get("SUPABASE_URL") or not any(os.environ.get(name) for name in _REMOTE_KEYS):
        return None
    return {name: os.environ[name] for name in _REMOTE if os.environ.get(name)}


class Backends:
    """PostgreSQL, PostgREST, auth and DynamoDB below one home folder.

    Args:
        home: the folder, created if it does not exist.
        on_event: called with a part's name, the seconds it took to start, and its address.
        durable: False for tests: faster, and the database is deleted at the end.
        migrations: the folder with the migrations.
        template: the SAM template whose tables are created.
        programs: a folder with another PostgreSQL's `postgres` and `initdb`, such as `/usr/lib/postgresql/15/bin`.
        token_seconds: validity of access tokens; 0: as configured.
        config: the project's `config.toml`.
        limited: whether Auth enforces rate limits.
        old_keys: whether the functions get the JWT keys of an older project.
        remote: the environment of a real project to use instead of starting one, see `remote_project`.
        memory: PostgreSQL's `shared_buffers`.
    """

    def __init__(
        self,
        home: Path,
        *,
        on_event: OnEvent = lambda _name, _seconds, _detail: None,
        durable: bool = True,
        migrations: Path = REPOSITORY / "supabase" / "migrations",
        template: Path = REPOSITORY / "template.yaml",
        programs: Path | None = None,
        token_seconds: int = 0,
        config: Path = REPOSITORY / "supabase" / "config.toml",
        limited: bool = True,
        old_keys: bool = False,
        remote: Mapping[str, str] | None = None,
        memory: str = "64MB",
    ) -> None:
        self.home = Home(home.resolve())
        self._on_event, self._durable = on_event, durable
        self.migrations, self._template = migrations, template
        self._programs, self._token_seconds = programs, token_seconds
        self._config, self._limited, self._old_keys = config, limited, old_keys
        self._lock = HomeLock(self.home)
        self._numbers = itertools.count(1)
        self._parts: list[Part] = []
        self._tables: dict[str, str] = {}
        self._remote, self._memory = remote, memory

    def start(self) -> Self:
        """Start everything; if a part fails, those already running are stopped."""
        self.home.make()
        self._lock.acquire()
        try:
            (self.home.run / "stack.json").unlink(missing_ok=True)  # of a stack that was killed
            end_orphans(self.home.run)
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything, in reverse order."""
        while self._parts:
            self._parts.pop().stop()
        if not self._durable and not self._remote and hasattr(self, "postgres"):
            self.postgres.remove()
        self._lock.release()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def dsn(self) -> str | None:
        """The superuser's connection string of the database; None with a real project."""
        return None if self._remote else self.project.dsn

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which the functions find all of it."""
        local = None if self._remote else self.project
        given = local and (local.legacy_environment if self._old_keys else local.environment)
        project = self._remote or given or {}
        table = {"RESILIENCE_TABLE": self._tables[_TABLE]} if _TABLE in self._tables else {}
        return {
            **project,
            **self.dynamodb.environment,
            **table,
            "OPERATOR_TOKENS": json.dumps(self._operators),
            "LOCAL_LOG": str(self.home.logs / EVERYTHING),
        }

    @property
    def operator_token(self) -> str:
        """An operator's token."""
        return next(iter(self._operators.values()))

    @property
    def parts(self) -> dict[str, Part]:
        """All running parts by name."""
        return {part.child.name: part for part in self._parts}

    @contextmanager
    def new_project(self) -> Iterator[Project]:
        """A separate project for the duration of the block: an empty copy of the migrated database."""
        number = next(self._numbers)
        database = f"{DATABASE}_{number}"
        self.postgres.create_database(database, template=template_database(self.postgres, self.migrations))
        try:
            with self._project(database, f"-{number}") as project:
                yield project
        finally:
            self.postgres.drop_database(database)

    def recover(self, part: Part) -> None:
        """Wait for a restarted part, and restore what it had in memory."""
        part.wait()
        if part is self.dynamodb:
            self._tables = self.dynamodb.create_tables(Template.load(self._template))

    def migrate(self) -> list[str]:
        """Apply new migrations and make PostgREST reload the schema; returns their names."""
        if self._remote:
            return []
        applied = migrate(self.project.dsn, self.migrations)
        if applied:
            self.postgres.execute("notify pgrst, 'reload schema'", DATABASE)
        return applied

    def allow(self, template: Template) -> None:
        """Enforce the policies of a changed template."""
        self.dynamodb.allow(template)

    def _start(self) -> None:
        ports = Ports(self.home)
        self.keys = load_keys(self.home.data / "keys.json")
        self.ports = ports
        self._operators = load_operators(self.home.data / "operator-token")
        # The slowest part starts first and is awaited last.
        self.dynamodb = DynamoDB(self.home, ports)
        launched = time.monotonic()
        self._launch(self.dynamodb)
        if not self._remote:
            self._start_project()
        self.dynamodb.wait()
        template = Template.load(self._template)
        self._tables = self.dynamodb.create_tables(template)
        self.allow(template)
        self._on_event("DynamoDB", time.monotonic() - launched, f"{self.dynamodb.origin} (in memory)")

    def _start_project(self) -> None:
        self.postgres = Postgres(
            self.home,
            self.ports,
            password=self.keys.password,
            durable=self._durable,
            programs=self._programs,
            memory=self._memory,
        )
        with self._timed("PostgreSQL", lambda: f"127.0.0.1:{self.postgres.port}, data in {self.postgres.data}"):
            self._launch(self.postgres)
            self.postgres.wait()
        applied: list[str] = []
        with self._timed("Migrations", lambda: f"{len(applied)} applied"):
            applied += self._prepare_database()
        self.project = self._project(DATABASE)
        with self._timed("Supabase", lambda: f"{self.project.url}, mail at {self.project.url}/mailbox"):
            self._parts += [self.project.postgrest, self.project.auth, self.project.gateway]
            self.project.start()

    def _prepare_database(self) -> list[str]:
        if not self.postgres.has_database(DATABASE):
            template = None if self._durable else template_database(self.postgres, self.migrations)
            self.postgres.create_database(DATABASE, template=template)
        applied = migrate(self.postgres.dsn(DATABASE), self.migrations)
        for role in ("authenticator", "supabase_auth_admin"):
            statement = sql.SQL("alter role {} password {}").format(
                sql.Identifier(role), sql.Literal(self.keys.password)
            )
            self.postgres.execute(statement)
        return applied

    def _project(self, database: str, suffix: str = "") -> Project:
        return Project(
            self.home,
            self.ports,
            self.postgres,
            self.keys,
            database=database,
            config=self._config,
            suffix=suffix,
            token_seconds=self._token_seconds,
            limited=self._limited,
        )

    def _launch(self, part: Part) -> None:
        part.launch()
        self._parts.append(part)

    @contextmanager
    def _timed(self, name: str, detail: Callable[[], str]) -> Iterator[None]:
        began = time.monotonic()
        yield
        self._on_event(name, time.monotonic() - began, detail())
