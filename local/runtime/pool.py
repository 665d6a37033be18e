"""The sandboxes of one function: one request each, more while requests wait, fewer when it is idle."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.runtime.invocation import Failure, Invocation, Outcome, failed
from local.runtime.logs import FunctionLog
from local.runtime.sandbox import Sandbox, State, describe_failure
from local.template import FunctionSpec

_INTEGRATION_LIMIT = 30.0


@dataclass(frozen=True)
class Limits:
    """Limits on the sandboxes of a function; times in seconds.

    Attributes:
        most: maximum number of sandboxes.
        kept: sandboxes that remain when idle.
        idle: how long any further sandbox remains idle before it ends.
        patience: how long a request waits before another sandbox is started.
    """

    most: int = 4
    kept: int = 1
    idle: float = 60.0
    patience: float = 0.03


class Pool:
    """Runs the invocations of one function."""

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        run: Path,
        log: FunctionLog,
        limits: Limits,
        backends: Mapping[str, str],
        show: Callable[[str], None],
    ) -> None:
        self.spec = spec
        self._run, self._log, self._limits, self._backends, self._show = run, log, limits, backends, show
        self._sandboxes: set[Sandbox] = set()
        self._idle: list[Sandbox] = []  # the most recently used one last, so that the others can become idle
        self._waiting: deque[tuple[Invocation, asyncio.Future[Outcome]]] = deque()
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False
        self._empty = asyncio.Event()

    async def invoke(self, invocation: Invocation) -> Outcome:
        """Run one invocation."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        sandbox = self._pop_idle()
        if sandbox is not None:
            sandbox.dispatch(invocation, outcome)
        else:
            self._wait_in_line(invocation, outcome)
        try:
            async with asyncio.timeout(_INTEGRATION_LIMIT):
                return await outcome
        except TimeoutError:
            return failed(Failure.CAPACITY, "ServiceUnavailable", "No answer within the integration's limit")

    @property
    def pids(self) -> list[int]:
        """The pids of all running sandboxes."""
        return [sandbox.pid for sandbox in self._sandboxes if sandbox.pid]

    def warm_up(self) -> None:
        """Start a sandbox in the background if there is none."""
        if not self._sandboxes:
            self._start()

    def replace(self, spec: FunctionSpec) -> None:
        """Let every sandbox end after its current request, and start new ones with `spec`."""
        self.spec = spec
        for sandbox in list(self._sandboxes):
            sandbox.stale = True
            if sandbox.state is not State.BUSY:
                sandbox.end()
        self._idle.clear()
        self._start()

    def rest(self) -> None:
        """End sandboxes that have been idle too long; called periodically."""
        oldest = time.monotonic() - self._limits.idle
        while len(self._current()) > self._limits.kept and self._idle and self._idle[0].idle_since < oldest:
            sandbox = self._idle.pop(0)
            sandbox.stale = True
            sandbox.end()

    async def close(self) -> None:
        """End all sandboxes; waiting requests fail."""
        self._closed = True
        self._refuse_all(failed(Failure.CAPACITY, "ServiceUnavailable", "The stack is stopping"))
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for sandbox in list(self._sandboxes):
            sandbox.stale = True
            sandbox.end()
        if self._sandboxes:
            await self._empty.wait()

    def _wait_in_line(self, invocation: Invocation, outcome: asyncio.Future[Outcome]) -> None:
        self._waiting.append((invocation, outcome))
        if not self._current():
            self._start()
        else:
            asyncio.get_running_loop().call_later(self._limits.patience, self._grow)

    def _pop_idle(self) -> Sandbox | None:
        while self._idle:
            sandbox = self._idle.pop()
            if sandbox.state is State.IDLE:  # not just killed
                return sandbox
        return None

    def _current(self) -> list[Sandbox]:
        return [sandbox for sandbox in self._sandboxes if not sandbox.stale and sandbox.state is not State.ENDED]

    def _grow(self) -> None:
        """Start another sandbox if more requests wait than sandboxes are starting."""
        waiting = sum(not outcome.done() for _, outcome in self._waiting)
        current = self._current()
        starting = sum(sandbox.state is State.STARTING for sandbox in current)
        if waiting > starting and len(current) < self._limits.most:
            self._start()

    def _start(self) -> None:
        if self._closed:
            return
        sandbox = Sandbox(
            self.spec,
            name=f"{self.spec.name}-{next(self._numbers)}",
            run=self._run,
            log=self._log,
            on_idle=self._take_idle,
            on_end=self._forget,
        )
        self._sandboxes.add(sandbox)
        task = asyncio.get_running_loop().create_task(self._launch(sandbox))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _launch(self, sandbox: Sandbox) -> None:
        try:
            await sandbox.start(self._backends)
        except OSError as error:
            sandbox.init_failure = failed(Failure.CRASH, "Runtime.StartError", str(error))
            self._forget(sandbox)
        if sandbox.stale:
            sandbox.end()

    def _take_idle(self, sandbox: Sandbox) -> None:
        if sandbox.stale or self._closed:
            sandbox.end()
            return
        while self._waiting:
            invocation, outcome = self._waiting.popleft()
            if not outcome.done():  # it may have given up
                sandbox.dispatch(invocation, outcome)
                return
        self._idle.append(sandbox)

    def _forget(self, sandbox: Sandbox) -> None:
        self._sandboxes.discard(sandbox)
        if sandbox in self._idle:
            self._idle.remove(sandbox)
        if self._closed and not self._sandboxes:
            self._empty.set()
        if sandbox.init_failure is not None and not sandbox.stale:
            self._start_failed(sandbox.init_failure)
        elif self._waiting and not self._current():
            self._start()

    def _start_failed(self, why: Outcome) -> None:
        """If no sandbox works, all waiting requests fail; otherwise they wait for those that do."""
        self._show(f"{self.spec.name} cannot start: {describe_failure(why)}")
        if not self._current():
            self._refuse_all(why)

    def _refuse_all(self, outcome: Outcome) -> None:
        while self._waiting:
            _, waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(outcome)
