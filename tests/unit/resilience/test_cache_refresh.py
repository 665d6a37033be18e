"""Refreshes and writes of the cache that fail, are overtaken, or call themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience import (
    CacheManager,
    ConfigurationError,
    MemoryStore,
    StoreError,
    cached,
    flush,
)
from resilience.cache.single_flight import run_plain
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from tests.unit.resilience.caching import Kit


def test_a_cached_function_may_ask_for_itself(clock: ManualClock) -> None:
    """A recursive function with overlapping keys does not wait for its own result."""
    manager, calls = CacheManager(clock=clock), []

    @cached(ttl=60, key=lambda n: "one key", manager=manager)
    def countdown(n: int) -> int:
        calls.append(n)
        return 0 if n == 0 else countdown(n - 1)

    assert countdown(3) == 0
    assert calls == [3, 2, 1, 0]
    assert countdown(3) == 0
    assert len(calls) == 4


def test_a_refresh_that_fails_keeps_the_old_value(
    kit: Callable[..., Kit], clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A failed refresh only changes the log, and a second later the next call tries again."""
    call = kit(stale_while_revalidate=600)
    assert call("a")["n"] == 1
    clock.advance(61)
    call.source.down = True  # type: ignore[attr-defined]
    for _ in range(2):
        assert call("a")["n"] == 1
        assert flush(5)
        clock.advance(1)
    assert call.source.calls == 3  # type: ignore[attr-defined]
    assert any("refresh failed" in record.getMessage() for record in caplog.records)
    call.source.down = False  # type: ignore[attr-defined]
    call("a")
    assert flush(5)
    assert call("a")["n"] == 4


def test_a_cache_whose_store_fails_half_way(clock: ManualClock) -> None:
    """While the store's writes fail, values are cached locally, and a lost invalidation is reported."""
    view = FaultyStore(MemoryStore(clock=clock))
    call = Kit("plain", clock, view)
    view.lose_writes = True
    assert call("a")["n"] == 1
    assert call("a")["n"] == 1
    assert call.manager.get_stats().errors >= 1
    assert call.function.invalidate("a") is False
    view.lose_writes = False
    assert call.function.invalidate("a") is True
    assert call("a")["n"] == 2


def test_generators_are_not_cached(clock: ManualClock) -> None:
    """A generator can be read only once, so it is refused."""

    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(ConfigurationError, match="generator"):
        cached(60, manager=CacheManager(clock=clock))(numbers)


def test_a_plain_function_does_not_wait_for_an_event_loop() -> None:
    """An error in the cache itself is raised, and nothing keeps running."""

    async def waits() -> None:
        await asyncio.sleep(1)

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="event loop"):
            run_plain(waits())

    asyncio.run(scenario())


def test_a_table_that_goes_down_before_a_refresh_lets_it_happen(clock: ManualClock) -> None:
    """When the table fails as the refresh lease is taken, the environment refreshes without it."""
    store = FaultyStore(MemoryStore(clock=clock))
    call = Kit("plain", clock, store, stale_while_revalidate=600)
    assert call("a")["n"] == 1
    clock.advance(61)
    put_if = store.put_if

    def lease_lost(pk: str, sk: str, *arguments: Any, **options: Any) -> bool:
        if sk == "lease":
            raise StoreError("down")
        return put_if(pk, sk, *arguments, **options)

    store.put_if = lease_lost  # type: ignore[method-assign]
    assert call("a")["n"] == 1
    assert flush(5)
    assert call("a")["n"] == 2


def test_a_refresh_that_another_did_is_taken_over(clock: ManualClock) -> None:
    """Before the lease was acquired, another environment may have stored a new value."""
    shared = MemoryStore(clock=clock)
    two = Kit("plain", clock, FaultyStore(shared), stale_while_revalidate=600)
    one = cached(ttl=60, key=lambda user="u": user, manager=CacheManager(clock=clock, store=FaultyStore(shared)))(
        two.source.plain
    )
    assert (one("a")["n"], two("a")["n"]) == (1, 1)
    clock.advance(61)
    store: Any = two.manager._bound()[0].store
    put_if = store.put_if

    def overtaken(pk: str, sk: str, *arguments: Any, **options: Any) -> bool:
        if sk == "lease":
            assert one("a")["n"] == 2
        return put_if(pk, sk, *arguments, **options)

    store.put_if = overtaken
    assert two("a")["n"] == 1
    assert flush(5)
    store.put_if = put_if
    assert two("a")["n"] == 2
    assert two.source.calls == 2


def test_an_invalidation_that_always_loses_is_told_so(clock: ManualClock) -> None:
    """When others keep writing the key, the caller learns that the old value may be served elsewhere."""
    store = FaultyStore(MemoryStore(clock=clock))
    call = Kit("plain", clock, store)
    call("a")
    store.put_if = lambda *_, **__: False  # type: ignore[method-assign]
    assert call.function.invalidate("a") is False
