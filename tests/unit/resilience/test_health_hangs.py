"""Health checks that misbehave affect neither the others nor the end of the process."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import resilience
from resilience import HealthChecker


def test_checks_run_side_by_side_whatever_hangs() -> None:
    """Fifty hanging sync checks do not prevent a good one from running, now and the next time."""
    release = threading.Event()
    checker = HealthChecker(cache_seconds=0)
    for n in range(50):
        checker.register_check(f"hangs {n}", lambda: release.wait(20), timeout=0.2)
    checker.register_check("good", lambda: "fine", timeout=2)

    async def scenario() -> None:
        for _ in range(2):
            report = await checker.run_all()
            assert report.checks["good"].status == "pass"
            assert report.checks["hangs 1"].message == "no answer within 0.2 s"

    asyncio.run(scenario())
    release.set()


def test_a_check_that_is_cancelled_is_a_failed_one() -> None:
    """CancelledError raised by a check is that check's result only."""
    checker = HealthChecker()

    async def cancelled() -> None:
        raise asyncio.CancelledError

    checker.register_check("cancelled", cancelled)
    checker.register_check("good", lambda: "fine")
    report = asyncio.run(checker.run_all())
    assert (report.checks["cancelled"].status, report.checks["cancelled"].message) == ("fail", "was cancelled")
    assert report.checks["good"].status == "pass"


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_a_plain_check_that_ends_the_process_is_a_failed_one(error: type[BaseException]) -> None:
    """A sync check that raises SystemExit, as a command-line tool does, is a failed check."""
    checker = HealthChecker()

    def leave() -> None:
        raise error(3)

    checker.register_check("tool", leave)
    checker.register_check("good", lambda: "fine")
    report = asyncio.run(checker.run_all())
    assert (report.checks["tool"].status, report.checks["tool"].message) == ("fail", f"{error.__name__}: 3")
    assert report.checks["good"].status == "pass"


def test_an_async_check_that_ends_the_process_is_a_failed_one() -> None:
    """An async check that raises SystemExit is a failed check, and the event loop continues."""
    checker = HealthChecker()

    async def leave() -> None:
        raise SystemExit(3)

    checker.register_check("tool", leave)
    report = asyncio.run(checker.run_all())
    assert (report.checks["tool"].status, report.checks["tool"].message) == ("fail", "SystemExit: 3")


def test_a_check_that_cleans_up_slowly_is_not_waited_for() -> None:
    """Its time limit includes its cleanup."""
    checker = HealthChecker()

    async def untidy() -> None:
        try:
            await asyncio.sleep(20)
        finally:
            await asyncio.sleep(0.7)

    async def scenario() -> float:
        checker.register_check("untidy", untidy, timeout=0.1)
        began = time.monotonic()
        report = await checker.run_all()
        assert report.checks["untidy"].status == "fail"
        return time.monotonic() - began

    assert asyncio.run(scenario()) < 0.6


def test_a_check_that_hangs_does_not_delay_the_end_of_the_process() -> None:
    """The process ends although a thread is still waiting."""
    code = """
import asyncio, threading, resilience
resilience.health_checker.register_check("hangs", lambda: threading.Event().wait(30), timeout=0.1)
print(asyncio.run(resilience.health_checker.run_all()).status)
"""
    path = str(Path(resilience.__file__).parents[1])
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": path}, capture_output=True, text=True, timeout=20, check=True
    )
    assert done.stdout.strip() == "fail"
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("kind", ["monitor", "events"])
def test_flushes_of_two_threads_lose_nothing(kind: str) -> None:
    """An older snapshot never overwrites a newer one."""
    first_waits, goes_on = threading.Event(), threading.Event()

    class Slow(resilience.MemoryStore):
        waited = False

        def put(self, *arguments: object, **named: object) -> None:
            if not Slow.waited:
                Slow.waited = True
                first_waits.set()
                goes_on.wait(1)
            super().put(*arguments, **named)  # type: ignore[arg-type]

    store = Slow()
    if kind == "monitor":
        monitor = resilience.PerformanceMonitor(store=store, flush_seconds=1_000)
        count, flush = (lambda: monitor.record("x", 0.1)), monitor.flush
        reader = resilience.PerformanceMonitor(store=store)
    else:
        errors = resilience.EventCounter("errors", store=store, flush_seconds=1_000)
        count, flush = (lambda: errors.note("x")), errors.flush
    for _ in range(20):
        count()
    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    assert first_waits.wait(5)
    for _ in range(80):
        count()
    second = threading.Thread(target=flush, daemon=True)
    second.start()
    second.join(0.2)
    goes_on.set()
    thread.join(5)
    second.join(5)
    if kind == "monitor":
        assert reader.fleet().names["x"].count == 100
    else:
        assert resilience.EventCounter("errors", store=store).fleet()[0][0].count == 100
