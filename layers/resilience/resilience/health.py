"""Health checks: side by side, each within its time, asked at most once a second however many want to know."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from resilience import _background, _validation
from resilience._clock import SYSTEM, Clock
from resilience._functions import is_async

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

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
        at: Unix second at which they were asked.
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
        cache_seconds: A report is given out again for so long. Default 1.0; 0 asks each time.
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
        import asyncio

        now = self._clock.steady()
        if self._last is not None and now < self._last[0] + self._cache_seconds:
            return self._last[1]
        loop = asyncio.get_running_loop()
        if self._running is None or self._running.done() or self._running.get_loop() is not loop:
            self._running = loop.create_task(self._ask_all())
        return await asyncio.shield(self._running)

    async def _ask_all(self) -> HealthReport:
        import asyncio

        checks = dict(self._checks)
        answers = await asyncio.gather(*(_ask(each) for each in checks.values()))
        results = dict(zip(checks, answers, strict=True))
        report = HealthReport(_worst(results), results, self._clock.wall())
        self._last = (self._clock.steady(), report)
        return report


async def _ask(registered: _Registered) -> CheckResult:
    import asyncio

    began = time.perf_counter()
    try:
        async with asyncio.timeout(registered.timeout):
            answer = await _call(registered)
        error = "returned False" if answer is False else None
    except TimeoutError:
        answer, error = None, f"no answer within {registered.timeout:g} s"
    except Exception as failure:  # noqa: BLE001 - a check may fail in any way; that is its answer
        answer, error = None, f"{type(failure).__name__}: {failure}"
    latency = (time.perf_counter() - began) * 1_000
    if error is not None:
        return CheckResult("fail" if registered.critical else "warn", latency, error)
    return CheckResult("pass", latency, answer if isinstance(answer, str) else None)


async def _call(registered: _Registered) -> object:
    import inspect

    answer = registered.check() if is_async(registered.check) else await _in_thread(registered)
    return await answer if inspect.isawaitable(answer) else answer


async def _in_thread(registered: _Registered) -> object:
    """Ask a plain check in a thread.

    One of the checks' own: those that hang must keep neither circuits from the store nor the loop from looking names
    up. And none while its last one hangs: another would wait for the same.
    """
    import asyncio
    import contextvars

    if registered.thread is not None and not registered.thread.done():
        raise TimeoutError
    registered.thread = _background.executor("checks").submit(contextvars.copy_context().run, registered.check)
    return await asyncio.wrap_future(registered.thread)


def _worst(results: dict[str, CheckResult]) -> Status:
    found = {result.status for result in results.values()}
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"


health_checker = HealthChecker()
"""The process's checks."""
