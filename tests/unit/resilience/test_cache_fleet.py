"""The cache in several environments over one store."""

from __future__ import annotations

from typing import Any

import pytest

from resilience import (
    CacheManager,
    MemoryStore,
    cached,
    flush,
)
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from tests.unit.resilience.caching import Kit

both = pytest.mark.parametrize("kind", ["plain", "async"])


def fleet(kind: str, clock: ManualClock, **settings: Any) -> tuple[Kit, Kit, MemoryStore]:
    shared = MemoryStore(clock=clock)
    one, two = (Kit(kind, clock, FaultyStore(shared), **settings) for _ in range(2))
    two.source = one.source
    two.function = cached(ttl=60, key=lambda user="u": user, manager=two.manager, **settings)(
        one.source.plain if kind == "plain" else one.source.asynchronous
    )
    return one, two, shared


@both
def test_one_computation_serves_two_environments(kind: str, clock: ManualClock) -> None:
    """What one environment computed, the other finds in the second level."""
    one, two, _ = fleet(kind, clock)
    assert one("a") == two("a")
    assert one.source.calls == 1
    assert two.manager.get_stats().shared_hits == 1


@both
def test_a_clear_arrives_within_five_seconds(kind: str, clock: ManualClock) -> None:
    """After clear() in one environment the other recomputes within five seconds."""
    one, two, _ = fleet(kind, clock)
    one("a")
    two("a")
    one.manager.clear()
    assert one("a")["n"] == 2
    clock.advance(5)
    assert two("a")["n"] == 2


@both
def test_an_invalidation_arrives_within_local_seconds(kind: str, clock: ManualClock) -> None:
    """An invalidated key is recomputed elsewhere once the first level reads the store again."""
    one, two, _ = fleet(kind, clock)
    one("a")
    two("a")
    one.function.invalidate("a")
    clock.advance(5)
    assert two("a")["n"] == 2


@both
def test_a_users_own_write_is_never_followed_by_a_stale_read(kind: str, clock: ManualClock) -> None:
    """A private value, invalidated after the write, is immediately current in every environment."""
    one, two, _ = fleet(kind, clock, private=True)
    for write in range(5):
        one.source.value = {"xp": write}
        writer, reader = (one, two) if write % 2 else (two, one)
        writer.function.invalidate("a")
        assert reader("a") == writer("a") == {"xp": write}
    calls = one.source.calls
    assert one("a") == two("a")
    assert one.source.calls == calls


@both
def test_one_refresh_in_the_fleet(kind: str, clock: ManualClock) -> None:
    """While stale answers are served only one environment computes; the other gets its value."""
    one, two, shared = fleet(kind, clock, stale_while_revalidate=30)
    one("a")
    two("a")
    clock.advance(61)
    lease = shared.put_if  # another environment is refreshing
    partition = next(pk for pk in shared._items if pk.startswith("cache#"))
    assert lease(partition, "lease", {}, expected_version=None, ttl=int(clock.wall()) + 15)
    assert one("a")["n"] == 1
    assert flush(5)
    assert one.source.calls == 1
    clock.advance(16)
    assert two("a")["n"] == 1
    assert flush(5)
    assert one.source.calls == 2


@both
def test_the_store_down_fails_no_call(kind: str, clock: ManualClock) -> None:
    """Without the second level the first continues, and only sharing is lost."""
    one, two, _ = fleet(kind, clock)
    for each in (one, two):
        each.manager._bound()[0].store.down = True  # type: ignore[attr-defined]
    assert one("a")["n"] == 1
    clock.advance(10)
    assert one("a")["n"] == 1
    assert two("a")["n"] == 2
    assert not one.function.invalidate("a")
    one.manager.clear()
    assert one.manager.get_stats().errors > 0


def test_a_value_too_large_for_the_store_stays_in_memory(clock: ManualClock) -> None:
    """A value too large for DynamoDB is cached in the first level only, until its ttl."""
    store = FaultyStore(MemoryStore(clock=clock))
    calls = []

    @cached(60, manager=CacheManager(clock=clock, store=store))
    def large() -> str:
        calls.append(1)
        return "x" * 500_000

    large()
    clock.advance(30)
    large()
    assert (len(calls), store.writes) == (1, 0)
