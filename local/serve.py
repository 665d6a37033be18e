"""`python -m local serve`: the whole stack, from start to shutdown."""

import asyncio
import json
import os
import signal
import socket
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import FrameType

from local.backends import Backends, remote_project
from local.console import Terminal
from local.control import create_control
from local.docs_page import fetch_docs_page
from local.errors import StackError
from local.gateway.app import Gateway
from local.gateway.events import new_trace_id
from local.listen import Server, is_loopback, network_address, take_port
from local.runtime.fleet import Fleet
from local.runtime.invocation import Outcome
from local.runtime.logs import RotatingFile
from local.runtime.pool import Limits
from local.runtime.schedules import Scheduler
from local.service import Service
from local.template import Template
from local.watch import watch_code, watch_migrations, watch_template

_LOOK_AFTER = 1.0  # seconds


def serve(
    home: Path,
    port: int,
    template: Path,
    *,
    concurrency: int,
    host: str = "localhost",
    backends: type[Backends] = Backends,
) -> None:
    """Run the stack until SIGINT or SIGTERM; StackError if it cannot run."""
    began = time.monotonic()
    terminal = Terminal()
    sockets = take_port(port, host)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        remote = remote_project()
        if remote:
            terminal.say(f"  Supabase is the project at {remote['SUPABASE_URL']}")
        fetch_docs_page()
        limited = os.environ.get("AUTH_RATE_LIMITS") != "off"
        old_keys = os.environ.get("API_KEYS") == "old"
        with backends(
            home, on_event=terminal.part, template=template, limited=limited, old_keys=old_keys, remote=remote
        ) as parts:
            stack = Stack(parts, template, sockets, terminal, began=began, host=host, concurrency=concurrency)
            with suppress(KeyboardInterrupt):
                asyncio.run(stack.run())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C would only leave something running
            terminal.say("Stopping")
    except KeyboardInterrupt:
        terminal.say("Stopped before it was up")
    finally:
        for listener in sockets:
            listener.close()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class Stack:
    """Gateway, functions, schedules and file watchers on top of running backends."""

    def __init__(
        self,
        backends: Backends,
        template: Path,
        sockets: list[socket.socket],
        terminal: Terminal,
        *,
        began: float,
        host: str,
        concurrency: int,
    ) -> None:
        self._backends, self._path, self._sockets = backends, template.resolve(), sockets
        self._terminal, self._began, self._concurrency = terminal, began, concurrency
        self._home, self._host = backends.home, host
        self._stop = asyncio.Event()
        self._code_stop = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        """Serve until a signal arrives."""
        self._watch_signals()
        template = Template.load(self._path)
        limits = Limits(most=self._concurrency)
        access = RotatingFile(self._home.logs / "gateway.log")
        self._fleet = Fleet(
            template, self._home, backends=self._backends.environment, limits=limits, show=self._terminal.notice
        )
        self._fleet.warm_up()
        port = self._sockets[0].getsockname()[1]
        self._gateway = Gateway(template, self._fleet, port=port, access_log=lambda line: _log(access, line))
        self._scheduler = Scheduler(self._fire, self._terminal.notice)
        servers = [Server(self._gateway), Server(create_control(self._fleet))]
        control = take_port(0)[0]
        await servers[0].begin(self._sockets)
        await servers[1].begin([control])
        self._scheduler.load(template.schedules())
        self._start_watching(template)
        await asyncio.sleep(0)  # the watchers begin: whoever reads that the stack is ready may change a file
        self._announce(port, control.getsockname()[1], len(template.functions()))
        try:
            await self._stop.wait()
        finally:
            await self._shut_down(servers)
            access.close()

    def _watch_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)

    def _announce(self, port: int, control: int, functions: int) -> None:
        url = f"http://localhost:{port}"
        self._facts = {
            "url": url,
            "control": f"http://127.0.0.1:{control}",
            "dsn": self._backends.dsn,
            "environment": self._backends.environment,
            "logs": str(self._home.logs),
        }
        self._record()
        dashboard = f"{url}/health/dashboard#token={self._backends.operator_token}"
        if not is_loopback(self._host):
            self._terminal.shared(f"http://{network_address(self._host)}:{port}")
        self._terminal.ready(url, dashboard, time.monotonic() - self._began, self._home.logs, functions)

    def _record(self) -> None:
        """Write the description of this stack for other programs; again whenever a part's process changes."""
        pids = {"stack": os.getpid(), **{name: part.pid for name, part in self._backends.parts.items()}}
        aside = self._home.run / "stack.new"
        aside.touch(mode=0o600)
        aside.write_text(json.dumps({**self._facts, "pids": pids}, indent=2))
        aside.rename(self._home.run / "stack.json")

    def _start_watching(self, template: Template) -> None:
        self._spawn(watch_code(template, self._code_changed, self._code_stop))
        self._spawn(watch_template(self._path, self._template_changed, self._stop))
        self._spawn(watch_migrations(self._backends.migrations, self._migrations_changed, self._stop))
        self._spawn(self._look_after_parts())

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        self._tasks.append(asyncio.get_running_loop().create_task(work))

    def _code_changed(self, paths: set[Path]) -> None:
        names = self._fleet.changed(paths)
        if names:
            self._terminal.say(f"Changed: {_short(paths)}; restarting {', '.join(names)}")

    async def _template_changed(self) -> None:
        try:
            template = Template.load(self._path)
            self._backends.allow(template)
            await self._fleet.reload(template)
            self._gateway.reload(template)
        except StackError as error:
            self._terminal.notice(str(error))
            return
        self._scheduler.load(template.schedules())
        self._code_stop.set()
        self._code_stop = asyncio.Event()
        self._spawn(watch_code(template, self._code_changed, self._code_stop))
        self._terminal.say(f"Read {self._path.name} again")

    async def _migrations_changed(self) -> None:
        try:
            applied = await asyncio.to_thread(self._backends.migrate)
        except StackError as error:
            self._terminal.notice(str(error))
            return
        if applied:
            self._terminal.say(f"Applied {', '.join(applied)}, and PostgREST has read the schema again")

    async def _fire(self, function: str, payload: bytes) -> Outcome:
        return await self._fleet.invoke(function, payload, trace_id=new_trace_id())

    async def _look_after_parts(self) -> None:
        """Restart a backing part that ended unexpectedly, as its hosted counterpart would be.

        Not while a file `<name>.held` exists among the process records, which requests an outage.
        """
        while True:
            await asyncio.sleep(_LOOK_AFTER)
            for name, part in self._backends.parts.items():
                if not part.child.running and not (self._home.run / f"{name}.held").exists():
                    await self._revive(part)

    async def _revive(self, part: Service) -> None:
        self._terminal.notice(f"{part.child.name} ended; restarting it. Its log: {part.child.log}")
        try:
            part.launch()  # here in the main thread, with which it shall end
            self._record()
            await asyncio.to_thread(self._backends.recover, part)
        except StackError as error:
            self._terminal.notice(str(error))

    async def _shut_down(self, servers: list[Server]) -> None:
        (self._home.run / "stack.json").unlink(missing_ok=True)
        self._stop.set()
        self._code_stop.set()
        self._scheduler.close()
        await asyncio.gather(*(server.finish() for server in servers))
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._fleet.close()


def _short(paths: set[Path]) -> str:
    names = sorted(path.name for path in paths)
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")  # noqa: PLR2004


def _log(file: RotatingFile, line: str) -> None:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    file.write(f"{stamp} {line}\n".encode(errors="replace"))
