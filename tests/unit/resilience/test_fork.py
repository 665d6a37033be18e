"""Forked children have their own locks, threads, sockets, ids and counts. Forking servers have their own tests."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    AdaptiveLimit,
    CacheManager,
    CircuitBreaker,
    ConnectionPool,
    HealthChecker,
    MemoryStore,
    PerformanceMonitor,
    RateLimiter,
    RetryBudget,
    cached,
)
from resilience.breaker.record import make_id

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]


def in_child(work: Callable[[], object], seconds: float = 20) -> str:
    """Do the work in a forked child and return its result. A child that hangs is killed, and fails the test."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            said = str(work())
        except BaseException as error:  # noqa: BLE001 - told to the parent
            said = f"raised {error!r}"
        os.write(writing, said.encode()[:4_000])
        os._exit(0)
    os.close(writing)
    killer = threading.Timer(seconds, os.kill, (child, 9))
    killer.start()
    with os.fdopen(reading) as pipe:
        told = pipe.read()
    os.waitpid(child, 0)
    killer.cancel()
    return told


class Blocking(MemoryStore):
    """A store that is reached through threads, like a table."""

    blocking = True


def test_async_calls_go_on_in_a_child() -> None:
    """The parent's threads do not exist in the child, which starts its own."""
    store = Blocking()
    breaker = CircuitBreaker("forked", store=store, failure_threshold=1)
    function: Any = cached(60, manager=CacheManager(store=store))(asyncio.sleep)

    async def use() -> str:
        with pytest.raises(ConnectionError):
            await breaker.call_async(fail)
        await function(0, f"{os.getpid()}")
        return f"{breaker.get_state()}"

    async def fail() -> None:
        raise ConnectionError

    async def parent() -> None:
        await function(0, "parent")

    asyncio.run(parent())  # the parent's threads exist
    assert in_child(lambda: asyncio.run(use())) == "open"


def test_locks_that_the_parent_held_are_free() -> None:
    """Locks are free in the child, whatever another thread of the parent was doing at the fork."""
    store = MemoryStore()
    breaker, limiter = CircuitBreaker("locked", store=store), RateLimiter(store=store)
    cache, monitor, pool, budget = CacheManager(store=store), PerformanceMonitor(), ConnectionPool(), RetryBudget()
    locks = [
        *(breaker.circuit.lock, breaker._bind_lock, breaker._bound()[1]._order, breaker._bound()[0]._busy),
        *(limiter._lock, cache.local._lock, cache.single_flight._lock, monitor._lock, monitor._flushing),
        *(pool._lock, budget._lock, store._lock),
    ]

    def use() -> str:
        with breaker.guard():
            pass
        breaker.force_open()
        limiter.check("u")
        cache.clear()
        cache.invalidate("k")
        cache.cleanup_expired()
        monitor.record("x", 1.0)
        monitor.flush()
        budget.withdraw()

        async def slot() -> None:
            async with pool:
                pass

        asyncio.run(slot())
        return "done"

    for lock in locks:
        assert lock.acquire(timeout=5)
    try:
        told = in_child(use)
    finally:
        for lock in locks:
            lock.release()
    assert told == "done"


def test_a_child_has_ids_and_counts_of_its_own() -> None:
    """Measurement rows, writes and tokens of the child are not the parent's."""
    monitor, limiter = PerformanceMonitor(store=MemoryStore()), RateLimiter(per_minute=100, store=MemoryStore())
    monitor.record("x", 1.0)
    for _ in range(5):
        limiter.check("u")
    parent = (monitor._id, limiter._writer, make_id())

    def look() -> str:
        own = (monitor._id, limiter._writer, make_id())
        return f"{sum(mine == theirs for mine, theirs in zip(own, parent, strict=True))} {monitor.get_metrics()}"

    assert in_child(look) == "0 {}"
    assert monitor.get_metrics()["x"].count == 1
    assert limiter._windows.currsize


def test_a_child_does_not_probe_for_its_parent() -> None:
    """The parent's lease belongs to another environment in the child."""
    breaker = CircuitBreaker("probing", failure_threshold=1, recovery_timeout=0.01, jitter=0, store=MemoryStore())

    def fail() -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        breaker.call(fail)
    threading.Event().wait(0.05)

    def probe_and_fork() -> str:
        return in_child(lambda: breaker.call(lambda: "called"))

    assert "CircuitOpenError" in breaker.call(probe_and_fork)
    assert breaker.get_state() == "closed"


def test_computations_of_the_parent_are_not_waited_for() -> None:
    """A computation of a parent's thread never ends in the child."""
    started, goes_on, calls = threading.Event(), threading.Event(), []

    @cached(60, manager=CacheManager(), key_prefix="forked")
    def slow() -> int:
        calls.append(1)
        if len(calls) == 1:
            started.set()
            goes_on.wait(20)
        return 42

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()
    assert started.wait(5)
    assert in_child(slow) == "42"
    goes_on.set()
    thread.join(5)


def test_health_is_asked_in_a_child() -> None:
    """Health checks work in a child, even if the parent has run them before."""
    checker = HealthChecker()
    checker.register_check("plain", lambda: "fine")
    assert asyncio.run(checker.run_all()).status == "pass"
    checker._last = None
    assert in_child(lambda: asyncio.run(checker.run_all()).status) == "pass"


def test_places_of_the_parent_are_not_given_back() -> None:
    """A child that leaves a block which the parent entered releases no slot of its own."""
    pool, limit, breaker = ConnectionPool(1), AdaptiveLimit(1), CircuitBreaker("entered", store=MemoryStore())

    @limit
    @breaker
    def fork_inside() -> str:
        with pool.slot():
            reading, writing = os.pipe()
            child = os.fork()
            if child == 0:
                return f"child {writing}"
            os.close(writing)
            with os.fdopen(reading) as pipe:
                told = pipe.read()
            os.waitpid(child, 0)
            return told

    said = fork_inside()
    if said.startswith("child"):
        stats = pool.get_stats()
        seen = (stats.active, stats.acquired, limit.active, breaker.snapshot().calls, breaker.get_state())
        os.write(int(said.split()[1]), repr(seen).encode())
        os._exit(0)
    assert said == "(0, 0, 0, 0, <CircuitState.CLOSED: 'closed'>)"
    assert (pool.get_stats().active, pool.get_stats().acquired, limit.active, breaker.snapshot().calls) == (0, 1, 0, 1)


def test_a_child_counts_anew() -> None:
    """Failures, statistics and running refreshes are the parent's; the circuit's state and values are kept."""
    breaker, manager = CircuitBreaker("counted", store=MemoryStore(), failure_threshold=3), CacheManager()
    function = cached(60, manager=manager, key_prefix="counted")(lambda: 42)
    assert [function(), function()] == [42, 42]
    assert manager.claim_refresh("k", 0.0)

    def fail() -> None:
        raise ConnectionError

    for _ in range(2):
        with pytest.raises(ConnectionError):
            breaker.call(fail)

    def look() -> str:
        kept, stats, seen = function(), manager.get_stats(), breaker.snapshot()
        counts = (seen.total_failures, seen.consecutive_failures, stats.misses, stats.local_hits)
        return f"{kept} {counts} {manager.claim_refresh('k', 0.0)}"

    assert in_child(look) == "42 (0, 0, 0, 1) True"
