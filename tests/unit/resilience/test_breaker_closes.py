"""The circuit breaker in one environment: how long it stays open, who probes, and what closes it."""

from __future__ import annotations

import asyncio

import pytest

from resilience import CircuitBreaker, CircuitOpenError, CircuitState, circuit_breaker
from resilience.testing import ManualClock
from tests.unit.resilience.dependency import DownError, Runner, fail


def test_closes_after_a_good_probe(runner: Runner, clock: ManualClock) -> None:
    """After the open time one probe is allowed, and its success closes the circuit."""
    call = runner.protect()
    runner.dependency.down = True
    fail(call, 5)
    runner.dependency.down = False
    clock.advance(60)
    assert call() == "fine"
    assert runner.breaker.get_state() is CircuitState.CLOSED


def test_a_failed_probe_opens_for_longer(runner: Runner, clock: ManualClock) -> None:
    """Each failed probe doubles the open time, up to the maximum."""
    call = runner.protect(max_recovery_timeout=200)
    runner.dependency.down = True
    fail(call, 5)
    waits = []
    for _ in range(4):
        clock.advance(runner.breaker.snapshot().retry_after)
        fail(call, 1)
        waits.append(runner.breaker.snapshot().retry_after)
    assert waits == pytest.approx([120, 200, 200, 200])


def test_several_successes_can_be_asked_for(runner: Runner, clock: ManualClock) -> None:
    """With success_threshold=2 the circuit stays half open after the first good probe."""
    call = runner.protect(success_threshold=2)
    runner.dependency.down = True
    fail(call, 5)
    runner.dependency.down = False
    clock.advance(60)
    call()
    assert runner.breaker.get_state() == "half_open"
    call()
    assert runner.breaker.get_state() == "closed"


def test_retry_after_lengthens_the_open_time(clock: ManualClock) -> None:
    """When a dependency asks for five minutes, the circuit stays open that long."""

    class BusyError(Exception):
        retry_after = 300

    @circuit_breaker(name="busy", clock=clock, jitter=0)
    def busy() -> None:
        raise BusyError

    for _ in range(5):
        with pytest.raises(BusyError):
            busy()
    assert busy.circuit_breaker.snapshot().retry_after == pytest.approx(300)  # type: ignore[attr-defined]


def test_jitter_only_lengthens(clock: ManualClock) -> None:
    """The open time lies between recovery_timeout and recovery_timeout x (1 + jitter)."""
    breaker = CircuitBreaker("jitter", clock=clock, jitter=0.5, rng=lambda: 0.5)
    for _ in range(5):
        with pytest.raises(DownError), breaker.guard():
            raise DownError
    assert breaker.snapshot().retry_after == pytest.approx(75)


def test_only_one_probe_at_a_time(clock: ManualClock) -> None:
    """Of many concurrent calls after the open time, one reaches the dependency."""

    async def scenario() -> None:
        gate, calls = asyncio.Event(), []
        breaker = CircuitBreaker("probe", clock=clock, failure_threshold=1)

        @breaker
        async def call() -> None:
            calls.append(1)
            await gate.wait()

        with pytest.raises(DownError):
            async with breaker.guard_async():
                raise DownError
        clock.advance(100)
        tasks = [asyncio.create_task(call()) for _ in range(10)]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(calls) == 1
        assert sum(isinstance(answer, CircuitOpenError) for answer in answers) == 9
        assert breaker.get_state() == "closed"

    asyncio.run(scenario())


def test_a_probe_that_never_returns_is_replaced(clock: ManualClock) -> None:
    """When the prober's lease ends, the next call probes instead."""
    breaker = CircuitBreaker("lost", clock=clock, failure_threshold=1, lease_seconds=10, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.advance(60)
    lost = breaker.enter(clock.wall())
    with pytest.raises(CircuitOpenError), breaker.guard():
        pytest.fail("the lease is still held")
    clock.advance(10)
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"
    breaker.on_error(lost, DownError(), 0.0)
    assert breaker.snapshot().consecutive_failures == 0


@pytest.mark.parametrize("seconds", [-3_600.0, -10.0, 10.0, 3_600.0])
def test_a_stepping_clock_never_holds_it_open(seconds: float, clock: ManualClock) -> None:
    """Whatever the wall clock does, the circuit is probed once the real time has passed."""
    breaker = CircuitBreaker("step", clock=clock, failure_threshold=1, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.step(seconds)
    clock.advance(60)
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"


def test_a_frozen_environment_probes_when_it_wakes(clock: ManualClock) -> None:
    """Time during which Lambda froze the environment counts."""
    breaker = CircuitBreaker("freeze", clock=clock, failure_threshold=1, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.freeze(60)
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"
