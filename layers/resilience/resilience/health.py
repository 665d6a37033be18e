"""Health checks: run in parallel, each within its timeout, and at most once a second however many callers ask."""

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
"""Has at most one thread for each check: a check that hangs keeps its thread, and gets no second one."""
Status = Literal["pass", "warn", "fail"]
Check = Callable[[], object | Awaitable[object]]


class CheckResult(NamedTuple):
    """The result of one check.

    Attributes:
        status: "pass"; for a check that failed "fail" if it is critical, else "warn".
        latency_ms: How long the check took, in milliseconds.
        message: The text that the check returned, or why it failed; None when it passed and returned no text.
    """

    status: Status
    latency_ms: float
    message: str | None = None


class HealthReport(NamedTuple):
    """The results of all checks.

    Attributes:
        status: The worst status of any check; "pass" when there are no checks.
        checks: The results by name.
        at: Unix time in seconds at which the last check had answered.
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
    """The last run of a plain check in a thread; None before the first."""


class HealthChecker:
    """Runs named checks.

    Args:
        cache_seconds: A report is reused for this long. Default 1.0; 0 runs the checks each time.
        clock: Its monotonic clock measures the age of a report, its wall clock dates the report.

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
        """Forget runs in progress in a forked child: they belong to the parent."""
        self._running = None
        for each in self._checks.values():
            each.thread = None

    def register_check(self, name: str, check: Check, *, timeout: float = 2.0, critical: bool = True) -> None:
        """Add a check; a second one with the same name replaces the first.

        Args:
            name: The check's name in the report.
            check: A function without arguments, plain (run in a thread) or async. It fails if it raises or returns
                False. A string that it returns is shown as the message.
            timeout: Seconds that it may take, default 2.0. An async check that takes longer is cancelled. A plain one
                cannot be stopped: until it ends, the check fails without being run again.
            critical: Whether its failure makes the whole report "fail" (True) or only "warn".

        Raises:
            ConfigurationError: The name is empty, or the timeout is not more than 0.
        """
        self._checks[_validation.text("name", name)] = _Registered(
            check, _validation.seconds("timeout", timeout), critical
        )
        self._last = None

    def unregister_check(self, name: str) -> None:
        """Remove a check; no error when it is not registered."""
        self._checks.pop(name, None)
        self._last = None

    async def run_all(self) -> HealthReport:
        """Run all checks, or return a report younger than `cache_seconds`; concurrent callers share one run."""
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
    """Run one check and return its result within its timeout; a check that does not end by then is left behind."""
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
    """Return (why the check failed, its message); each may be None."""
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
        task.exception()  # retrieved, so that asyncio does not report it: nobody awaits this task any more


class _HangsError(Exception):
    """The previous run of a plain check has not ended."""


class _QuitError(Exception):
    """A check tried to end the process. An event loop lets SystemExit through from any task, so it is replaced."""


async def _call(registered: _Registered) -> object:
    try:
        answer = registered.check() if is_async(registered.check) else await _in_thread(registered)
        return await answer if inspect.isawaitable(answer) else answer
    except SystemExit as error:
        raise _QuitError(f"SystemExit: {error}") from error


async def _in_thread(registered: _Registered) -> object:
    """Run a plain check in a thread of the checks' own pool; refused while its previous run hangs."""
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
"""The default checker of the process."""
