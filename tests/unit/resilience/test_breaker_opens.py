"""The circuit breaker in one environment: what opens it, and what it does not count."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, circuit_breaker
from resilience.testing import ManualClock
from tests.unit.resilience.dependency import DownError, Runner, fail


def test_opens_after_consecutive_failures(runner: Runner) -> None:
    """The fifth consecutive failure opens the circuit, and the dependency is no longer called."""
    call = runner.protect()
    runner.dependency.down = True
    fail(call, 5)
    assert runner.breaker.get_state() == "open"
    with pytest.raises(CircuitOpenError) as refused:
        call()
    assert runner.dependency.calls == 5
    assert refused.value.retry_after == pytest.approx(60.0)


def test_opens_at_80_percent_with_every_fifth_call_good(runner: Runner) -> None:
    """Failures that are never five in a row open it by their rate, from ten calls on."""
    call = runner.protect()
    for n in range(10):
        runner.dependency.down = n % 5 != 0
        if runner.dependency.down:
            fail(call, 1)
        else:
            call()
    assert runner.breaker.get_state() == "open"


def test_old_calls_leave_the_window(runner: Runner, clock: ManualClock) -> None:
    """Failures older than the window do not count towards the rate."""
    call = runner.protect(failure_threshold=None)
    runner.dependency.down = True
    fail(call, 9)
    clock.advance(61)
    fail(call, 5)
    assert runner.breaker.snapshot().calls == 5
    assert runner.breaker.get_state() == "closed"


def test_a_success_between_starts_the_count_anew(runner: Runner) -> None:
    """Only consecutive failures count towards failure_threshold."""
    call = runner.protect(failure_threshold=3, failure_rate_threshold=None)
    for down in (True, True, False, True, True):
        runner.dependency.down = down
        if down:
            fail(call, 1)
        else:
            call()
    assert runner.breaker.get_state() == "closed"


def test_slow_calls_open_it(clock: ManualClock) -> None:
    """Calls that succeed but take too long open the circuit by their rate."""

    @circuit_breaker(name="slow", slow_call_seconds=1.0, clock=clock)
    def slow() -> None:
        clock.advance(1.5)

    for _ in range(10):
        slow()
    assert slow.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]
    assert slow.circuit_breaker.snapshot().reason == "slow_calls"  # type: ignore[attr-defined]


def test_a_result_can_be_a_failure(clock: ManualClock) -> None:
    """is_failure judges the returned value, for sync and async functions."""

    @circuit_breaker(name="result", is_failure=lambda status: status >= 500, clock=clock)
    def plain() -> int:
        return 503

    @circuit_breaker(name="result_async", is_failure=lambda status: status >= 500, clock=clock)
    async def asynchronous() -> int:
        return 503

    for _ in range(5):
        plain()
        asyncio.run(asynchronous())
    assert plain.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]
    assert asynchronous.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]


def test_excluded_errors_prove_that_it_answers(runner: Runner) -> None:
    """An excluded error is raised but counts as a success."""
    call = runner.protect(excluded_exceptions=(DownError,))
    runner.dependency.down = True
    fail(call, 20)
    assert runner.breaker.get_state() == "closed"
    assert runner.breaker.snapshot().failures == 0


def test_cancellation_says_nothing(clock: ManualClock) -> None:
    """A cancelled call is neither a failure nor a success, and returns its probe slot."""
    release = asyncio.Event

    async def scenario() -> None:
        breaker = CircuitBreaker("cancel", clock=clock, failure_threshold=1)

        @breaker
        async def hang() -> None:
            await release().wait()

        @breaker
        async def down() -> None:
            raise DownError

        async def cancel_one() -> None:
            task = asyncio.create_task(hang())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await cancel_one()
        assert breaker.snapshot().calls == 0
        with pytest.raises(DownError):
            await down()
        clock.advance(100)
        await cancel_one()
        await cancel_one()
        assert breaker.get_state() == "half_open"

    asyncio.run(scenario())


def test_a_late_result_of_an_old_generation_changes_nothing(clock: ManualClock) -> None:
    """Failures of calls that started before a reset do not count after it."""

    async def scenario() -> None:
        gate = asyncio.Event()
        breaker = CircuitBreaker("late", clock=clock, failure_threshold=2)

        @breaker
        async def late() -> None:
            await gate.wait()
            raise DownError

        tasks = [asyncio.create_task(late()) for _ in range(5)]
        await asyncio.sleep(0)
        breaker.reset()
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert breaker.get_state() == "closed"
        assert breaker.snapshot().consecutive_failures == 0

    asyncio.run(scenario())


def test_counts_survive_a_clock_that_steps_back(clock: ManualClock) -> None:
    """Calls counted before the wall clock stepped back still count after it."""
    breaker = CircuitBreaker("back", clock=clock, failure_threshold=None)
    for n in range(10):
        if n == 5:
            clock.step(-100)
        with pytest.raises(DownError), breaker.guard():
            raise DownError
    assert breaker.get_state() == "open"


def test_one_object_is_one_circuit(clock: ManualClock) -> None:
    """Functions that share a CircuitBreaker share its counts, in every way of calling them."""
    breaker = CircuitBreaker("shared", clock=clock, failure_threshold=4)

    def down() -> None:
        raise DownError

    async def down_async() -> None:
        raise DownError

    calls: list[Callable[[], Any]] = [
        breaker(down),
        lambda: asyncio.run(breaker(down_async)()),
        lambda: breaker.call(down),
        lambda: asyncio.run(breaker.call_async(down_async)),
    ]
    for call in calls:
        fail(call, 1)
    assert breaker.get_state() == "open"


def test_failures_from_many_threads_are_all_counted(clock: ManualClock) -> None:
    """When eight threads fail concurrently, every failure is counted."""
    breaker = CircuitBreaker("threads", clock=clock, failure_threshold=None, minimum_calls=1_000)

    @breaker
    def down() -> None:
        raise DownError

    def work() -> None:
        for _ in range(100):
            with pytest.raises(DownError):
                down()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.snapshot().failures == 800
