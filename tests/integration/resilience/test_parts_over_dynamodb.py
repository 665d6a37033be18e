"""Cache, limiter and monitor over DynamoDB as moto evaluates it, and the requests they cost."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

import resilience
from resilience import CacheManager, DynamoStore, PerformanceMonitor, RateLimiter, cached, transient_errors
from resilience.testing import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000.0)


def store(table: str, clock: ManualClock) -> DynamoStore:
    return DynamoStore(table, clock=clock, read_timeout=10.0)


def test_the_cache_shares_values_and_invalidations(table: str, clock: ManualClock) -> None:
    """Two async environments over one table compute once, and again after an invalidation."""
    calls = []

    async def read(user: str) -> dict[str, Decimal]:
        calls.append(user)
        return {"xp": Decimal(len(calls))}

    def environment() -> CacheManager:
        return CacheManager(store=store(table, clock), clock=clock)

    one, two = (cached(60, private=True, manager=environment())(read) for _ in range(2))

    async def scenario() -> None:
        assert await one("a") == await two("a") == {"xp": 1}
        assert await two.invalidate_async("a")  # type: ignore[attr-defined]
        assert await one("a") == await two("a") == {"xp": 2}

    asyncio.run(scenario())
    resilience.flush()


def test_a_clear_reaches_the_other_environment(table: str, clock: ManualClock) -> None:
    """A clear reaches the other environment with its next snapshot, within five seconds."""
    one, two = (CacheManager(store=store(table, clock), clock=clock) for _ in range(2))
    calls = []

    def read() -> int:
        calls.append(1)
        return len(calls)

    first, second = cached(60, manager=one)(read), cached(60, manager=two)(read)
    assert (first(), second()) == (1, 1)
    one.clear()
    clock.advance(5)
    two.generation()
    resilience.flush()
    assert second() == 2
    assert first() == 2


def test_a_warm_cache_asks_seldom(table: str, clock: ManualClock, requests: Counter[str]) -> None:
    """A hot key costs one read in five seconds per environment, plus one for the snapshot."""
    backend = store(table, clock)
    read = cached(300, manager=CacheManager(store=backend, clock=clock))(lambda: 1)
    for _ in range(600):
        read()
        clock.advance(0.1)
    resilience.flush()
    assert requests["GetItem"] <= 13
    assert requests["Query"] <= 13
    assert requests["PutItem"] == 1


def test_ten_environments_share_a_limit(table: str, clock: ManualClock, requests: Counter[str]) -> None:
    """With a limit of a hundred a minute at most 110 calls pass, for at most 0.2 writes per call."""
    stores = [store(table, clock) for _ in range(10)]
    limiters = [RateLimiter(store=each, clock=clock) for each in stores]
    passed = sum(limiters[n % 10].check("u").allowed for n in range(250))
    assert 90 <= passed <= 110
    assert requests["UpdateItem"] <= 0.2 * 250


def test_the_monitors_meet(table: str, clock: ManualClock) -> None:
    """Each environment writes one item a minute, and any of them reads all."""
    monitors = [PerformanceMonitor(store=store(table, clock), clock=clock) for _ in range(3)]
    for monitor in monitors:
        for _ in range(100):
            monitor.record("GET /x", 0.2)
        monitor.record("GET /y", 3.0, error=True)
        assert monitor.flush()
    report = monitors[0].fleet()
    assert (report.environments, report.names["GET /x"].count, report.names["GET /y"].errors) == (3, 300, 3)
    resilience.flush()


def test_errors_of_the_store_are_not_to_be_repeated() -> None:
    """A StoreError is the package's own and is not retried."""
    assert not transient_errors()(resilience.StoreError("down"))
