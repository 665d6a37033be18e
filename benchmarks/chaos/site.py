"""What can be done to the running stack: its processes, the proxies in front of them, and the database's clock."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.chaos.proxy import Proxy
from benchmarks.load.stack import Stack, running
from local.stack_directory import Ports, StackDirectory, free_port
from testing.clock import DatabaseClock

_MEGABYTE, _LOG_MEGABYTES = 1 << 20, 9  # a segment of the log has 16


@dataclass
class Site:
    """The stack and what stands in front of it.

    Attributes:
        stack: the processes.
        rest, dynamodb: the proxies between the functions and PostgREST and DynamoDB.
    """

    stack: Stack
    rest: Proxy
    dynamodb: Proxy

    def kill(self, part: str) -> None:
        """SIGKILL a part and its children, and keep it from being started again until `release`."""
        self._held(part).touch()
        self._signal(part, signal.SIGKILL)

    def shut_down(self, part: str) -> None:
        """End a part as a service manager does: SIGTERM, and SIGINT for what is still there two seconds later."""
        self._held(part).touch()
        process = self.stack.part(part)
        if process is None:
            return
        process.terminate()
        try:
            process.wait(2)
        except psutil.TimeoutExpired:
            process.send_signal(signal.SIGINT)

    def release(self, part: str) -> None:
        """Let the stack start it again, which it does within a second."""
        self._held(part).unlink(missing_ok=True)

    def freeze(self, part: str) -> None:
        """SIGSTOP a part and its children: connections stay, answers do not come."""
        self._signal(part, signal.SIGSTOP)

    def thaw(self, part: str) -> None:
        """SIGCONT."""
        self._signal(part, signal.SIGCONT)

    def crash_worker(self) -> None:
        """SIGKILL one of PostgreSQL's own processes that serves a client: the server then restarts itself whole."""
        server = self.stack.part("postgres")
        workers = [each for each in (server.children() if server else []) if "studysync" in " ".join(each.cmdline())]
        random.choice(workers).kill()

    def kill_functions(self, seconds: float, pause: float) -> None:
        """SIGKILL a process of a random function again and again."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pids = [pid for found in self.stack.functions().values() for pid in found]
            with suppress(psutil.NoSuchProcess):
                psutil.Process(random.choice(pids)).kill()
            time.sleep(pause)

    def signal_function(self, name: str, number: signal.Signals) -> None:
        """Send a signal to all processes of a function."""
        for pid in self.stack.functions()[name]:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).send_signal(number)

    def fill_disk(self) -> None:
        """Let PostgreSQL's files grow no further than the write-ahead log has come: the kernel refuses what is beyond.

        It stands for a full disk and harms nobody else. The tables' files are shorter than that, so it is the log that
        cannot be written, and the server gives up as it does on a full disk.
        """
        self._held("postgres").touch()
        with psycopg.connect(self.stack.facts["dsn"], autocommit=True) as connection:
            connection.execute("select pg_switch_wal()")
            connection.execute(
                "select pg_logical_emit_message(false, 'chaos', repeat('x', %s)) from generate_series(1, %s)",
                [_MEGABYTE, _LOG_MEGABYTES],
            )
            row = connection.execute("select file_offset from pg_walfile_name_offset(pg_current_wal_lsn())").fetchone()
        limit = int(row[0]) if row else 0
        server = self.stack.part("postgres")
        for process in (server, *server.children(recursive=True)) if server else ():
            with suppress(psutil.NoSuchProcess):  # it has given up already
                _limit_files(process, limit)

    def clear_disk(self) -> None:
        """Have a server that can write again, whatever the last one did."""
        self._signal("postgres", signal.SIGKILL)
        self.release("postgres")

    @contextmanager
    def clock(self) -> Iterator[DatabaseClock]:
        """The clock that the database's rules ask."""
        with psycopg.connect(self.stack.facts["dsn"], autocommit=True) as connection:
            yield DatabaseClock(connection)

    def _held(self, part: str) -> Path:
        return self.stack.home / "run" / f"{part}.held"

    def _signal(self, part: str, number: signal.Signals) -> None:
        process = self.stack.part(part)
        if process is None:
            return
        with suppress(psutil.NoSuchProcess):
            for each in (process, *process.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    each.send_signal(number)


@contextmanager
def site(folder: Path, **variables: str) -> Iterator[Site]:
    """Start a stack below `folder`, whose functions reach PostgREST and DynamoDB through proxies."""
    home = StackDirectory(folder / "home")
    home.make()
    ports = Ports(home)  # the stack remembers them, and so the proxies know theirs beforehand
    rest, dynamodb = (Proxy(free_port(), ports.take(name)) for name in ("supabase", "dynamodb"))
    addresses = {"SUPABASE_REST_URL": f"{rest.origin}/rest/v1", "AWS_ENDPOINT_URL_DYNAMODB": dynamodb.origin}
    rest.start()
    dynamodb.start()
    try:
        module, more = ("benchmarks.chaos.serve",), {**variables, "CHAOS_ADDRESSES": json.dumps(addresses)}
        with running(home.root, module=module, more=more) as stack:
            yield Site(stack, rest, dynamodb)
    finally:
        rest.stop()
        dynamodb.stop()


def _limit_files(process: psutil.Process, size: int) -> None:
    """Set RLIMIT_FSIZE as the user whom the process belongs to: even root may not have the right to do it to others."""
    command = ["prlimit", f"--pid={process.pid}", f"--fsize={size}:"]
    subprocess.run(
        command,
        user=process.uids().real,
        group=process.gids().real,
        extra_groups=[],
        check=False,
        stderr=subprocess.DEVNULL,
    )
