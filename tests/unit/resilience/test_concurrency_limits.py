"""Bulkheads and adaptive limits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    AdaptiveLimit,
    BulkheadFullError,
    CircuitBreaker,
    ConcurrencyLimitError,
    bulkhead,
    deadline,
    pipeline,
)
from resilience.testing import ManualClock

both = pytest.mark.parametrize("kind", ["plain", "async"])


def made(kind: str, decorate: Callable[[Any], Any], work: Callable[[], Any]) -> Callable[[], Any]:
    """The work behind a policy, sync or async, called the same way."""
    if kind == "plain":
        return decorate(work)  # type: ignore[no-any-return]

    async def asynchronous() -> Any:
        await asyncio.sleep(0)
        return work()

    function = decorate(asynchronous)
    return lambda: asyncio.run(function())


def test_a_bulkhead_holds_plain_and_async_calls_together() -> None:
    """A thread and a task hold the two slots, and the next caller of either kind is refused."""
    gate, limit = threading.Event(), bulkhead(2, timeout=0.05)
    started = threading.Semaphore(0)

    def plain() -> str:
        started.release()
        gate.wait(10)
        return "plain"

    async def hold() -> str:
        await asyncio.sleep(0)
        return "async"

    held, quick, later = limit(plain), limit(lambda: "quick"), limit(hold)
    threads = [threading.Thread(target=held, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert all(started.acquire(timeout=5) for _ in threads)
    with pytest.raises(BulkheadFullError):
        asyncio.run(later())
    with pytest.raises(BulkheadFullError):
        quick()
    gate.set()
    for thread in threads:
        thread.join(5)
    assert (quick(), asyncio.run(later())) == ("quick", "async")


def test_bulkheads_of_a_name_are_one() -> None:
    """A bulkhead belongs to the dependency of its name."""
    gate, started = threading.Event(), threading.Event()

    @bulkhead(1, name="one dependency")
    def first() -> None:
        started.set()
        gate.wait(10)

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    assert started.wait(5)
    with deadline(0.05), pytest.raises(BulkheadFullError):
        bulkhead(1, name="one dependency")(lambda: 42)()
    assert bulkhead(1, name="another dependency")(lambda: 42)() == 42
    gate.set()
    thread.join(5)


@both
def test_the_limit_adapts(kind: str) -> None:
    """The limit shrinks while calls take longer under load, and grows when they do not."""
    clock = ManualClock()
    limit = AdaptiveLimit(20, clock=clock, most=100)
    seconds = [0.1]
    call = made(kind, limit, lambda: clock.advance(seconds[0]))

    def load(calls: int) -> None:
        for _ in range(calls):
            with limit._lock:
                limit._active += limit.limit - 1  # the others, running meanwhile
            call()
            with limit._lock:
                limit._active = 0

    load(50)
    grown = limit.limit
    assert grown > 20
    seconds[0] = 1.0
    load(30)
    assert limit.limit < grown / 2
    seconds[0] = 0.1
    load(200)
    assert limit.limit > grown / 2


@both
def test_who_finds_no_place_is_refused_at_once(kind: str) -> None:
    """Waiting would only be another queue; the circuit around it does not count the refusal."""
    limit = AdaptiveLimit(1)
    breaker = CircuitBreaker("limited " + kind, failure_threshold=1)
    call = made(kind, pipeline("limited", breaker, limit), lambda: 42)
    limit._active = 1
    with pytest.raises(ConcurrencyLimitError):
        call()
    assert breaker.get_state() == "closed"
    limit._active = 0
    assert call() == 42


def test_overload_shrinks_the_limit() -> None:
    """A timeout is a sign of overload; another error is not."""
    limit = AdaptiveLimit(20)

    def fail(error: Exception) -> None:
        raise error

    for error, expected in ((KeyError(), 20), (TimeoutError(), 18)):
        with pytest.raises(type(error)):
            limit(fail)(error)
        assert limit.limit == expected
    assert limit.active == 0
