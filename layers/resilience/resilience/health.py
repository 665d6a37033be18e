"""Health checks: in parallel, each within its timeout, run at most once a second however many callers ask."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from resilience import _validation
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork
from resilience._functions import is_async
from resilience._thread_pool import DaemonThreadPool

_threads: Final = DaemonThreadPool("resilience-check", 1_000, idle_seconds=10.0)
"""At most one for each check, because a check that hangs keeps its thread."""
Status = Literal["pass", "warn", "fail"]
Check = Callable[[], object | Awaitable[object]]


class CheckResult(NamedTuple):
    """One check's answer.

    Attributes:
        status: "pass"; "fail" for a critical check that failed; "warn" for another one that did.
        latency_ms: How long it took, in milliseconds.
        message: The text it returned, or why it failed; None when it returned no text.
    """

    status: Status
    latency_ms: float
    message: str | None = None


class HealthReport(NamedTuple):
    """All checks together.

    Attributes:
        status: The worst of them; "pass" when there are none.
        checks: The answers by name.
        at: Unix second at which all had answered.
    """

    status: Status
    checks: dict[str, CheckResult]
    at: float


@dataclass(slots=True)
class _Registered:
    check: Check
    timeout: float
    critical: bool
    thread: Future[object] | None = None
    """What a plain check runs in, if it was asked before."""


class HealthChecker:
    """Named checks.

    Args:
        cache_seconds: A report is reused for this long. Default 1.0; 0 asks each time.
        clock: Source of time.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    def __init__(self, *, cache_seconds: float = 1.0, clock: Clock = SYSTEM) -> None:
        self._cache_seconds = _validation.number("cache_seconds", cache_seconds)
        self._clock = clock
        self._checks: dict[str, _Registered] = {}
        self._last: tuple[float, HealthReport] | None = None
        self._running: asyncio.Task[HealthReport] | None = None
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware: running checks are the parent's."""
        self._running = None
        for each in self._checks.values():
            each.thread = None

    def register_check(self, name: str, check: Check, *, timeout: float = 2.0, critical: bool = True) -> None:
        """Add a check; a second one of the same name replaces the first.

        Args:
            name: Names it in the report.
            check: A function without arguments, plain (run in a thread) or async. Healthy unless it raises or returns
                False; a text that it returns is shown.
            timeout: Seconds that it may take, default 2.0. A plain check that takes longer is given up, not stopped.
            critical: Whether its failure makes the whole report "fail" or only "warn".

        Raises:
            ConfigurationError: The name is empty or the timeout not more than 0.
        """
        self._checks[_validation.text("name", name)] = _Registered(
            check, _validation.seconds("timeout", timeout), critical
        )
        self._last = None

    def unregister_check(self, name: str) -> None:
        """Remove a check; no error when it is not there."""
        self._checks.pop(name, None)
        self._last = None

    async def run_all(self) -> HealthReport:
        """Ask all checks, or give out the last report if it is young; callers at the same time share one run."""
        now = self._clock.steady()
        if self._last is not None and now < self._last[0] + self._cache_seconds:
            return self._last[1]
        loop = asyncio.get_running_loop()
        if self._running is None or self._running.done() or self._running.get_loop() is not loop:
            self._running = loop.create_task(self._ask_all())
        return await asyncio.shield(self._running)

    async def _ask_all(self) -> HealthReport:
        checks = dict(self._checks)
        answers = await asyncio.gather(*(_ask(each) for each in checks.values()))
        results = dict(zip(checks, answers, strict=True))
        report = HealthReport(_worst(results), results, self._clock.wall())
        self._last = (self._clock.steady(), report)
        return report


async def _ask(registered: _Registered) -> CheckResult:
    """One check's answer, within its time whatever it does: what does not end is left behind."""
    began = time.perf_counter()
    task = asyncio.ensure_future(_call(registered))
    try:
        await asyncio.wait({task}, timeout=registered.timeout)
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_look_at)
    error, message = _outcome(task, registered.timeout)
    latency = (time.perf_counter() - began) * 1_000
    if error is not None:
        return CheckResult("fail" if registered.critical else "warn", latency, error)
    return CheckResult("pass", latency, message)


def _outcome(task: asyncio.Future[object], timeout: float) -> tuple[str | None, str | None]:
    """Why the check failed, or what it said."""
    if not task.done():
        return f"no answer within {timeout:g} s", None
    if task.cancelled():
        return "was cancelled", None
    error = task.exception()
    if isinstance(error, _HangsError):
        return f"no answer within {timeout:g} s", None
    if error is not None:
        return str(error) if isinstance(error, _QuitError) else f"{type(error).__name__}: {error}", None
    answer = task.result()
    return ("returned False", None) if answer is False else (None, answer if isinstance(answer, str) else None)


def _look_at(task: asyncio.Future[object]) -> None:
    if not task.cancelled():
        task.exception()  # nobody waits for it any more


class _HangsError(Exception):
    """The last call of a plain check has not ended."""


class _QuitError(Exception):
    """A check wanted to end the process: the event loop would let it, out of whatever task it is in."""


async def _call(registered: _Registered) -> object:
    try:
        answer = registered.check() if is_async(registered.check) else await _in_thread(registered)
        return await answer if inspect.isawaitable(answer) else answer
    except SystemExit as error:
        raise _QuitError(f"SystemExit: {error}") from error


async def _in_thread(registered: _Registered) -> object:
    """Ask a plain check in a thread of the checks' own, and in none while its last one hangs."""
    if registered.thread is not None and not registered.thread.done():
        raise _HangsError
    context = contextvars.copy_context()

    def ask() -> object:
        try:
            return context.run(registered.check)
        except (SystemExit, KeyboardInterrupt) as error:
            raise _QuitError(f"{type(error).__name__}: {error}") from error

    registered.thread = _threads.submit(ask)
    return await asyncio.wrap_future(registered.thread)


def _worst(results: dict[str, CheckResult]) -> Status:
    found = {result.status for result in results.values()}
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"


health_checker = HealthChecker()
"""The process's checks."""
