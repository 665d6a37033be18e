"""What happens seldom: subscribers that raise, recursion, refreshes and writes that fail, memories that are full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from resilience import CacheManager, MemoryStore, cached, circuit_breaker, events, flush
from resilience.testing import ManualClock
from tests.integration.resilience.helpers import FaultyStore
from tests.unit.resilience.caching import Kit


def test_a_subscriber_that_raises_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """The others are told all the same, and the log says who failed."""
    seen: list[events.Event] = []

    def broken(_: events.Event) -> None:
        raise ZeroDivisionError

    stops = [events.subscribe(broken), events.subscribe(seen.append)]
    try:
        events.emit(events.CACHE_HIT, "key", level="local")
    finally:
        for stop in stops:
            stop()
    assert [(event.kind, event.name) for event in seen] == [(events.CACHE_HIT, "key")]
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)
    events.emit(events.CACHE_HIT, "key")
    assert len(seen) == 1


def test_a_cached_function_may_ask_for_itself(clock: ManualClock) -> None:
    """A recursive function whose keys meet does not wait for its own answer."""
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
    """Behind a stale answer an error changes nothing but the log, and the next call tries again."""
    call = kit(stale_while_revalidate=600)
    assert call("a")["n"] == 1
    clock.advance(61)
    call.source.down = True  # type: ignore[attr-defined]
    for _ in range(2):
        assert call("a")["n"] == 1
        assert flush(5)
    assert call.source.calls == 3  # type: ignore[attr-defined]
    assert any("refresh failed" in record.getMessage() for record in caplog.records)
    call.source.down = False  # type: ignore[attr-defined]
    call("a")
    assert flush(5)
    assert call("a")["n"] == 4


def test_hidden_async_functions_succeed_too(clock: ManualClock) -> None:
    """What a plain function returned is counted once it is awaited, good or bad."""

    def traced(function: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: function()  # noqa: PLW0108 - hides that it is async

    @circuit_breaker(name="hidden_good", clock=clock)
    @traced
    async def hidden() -> str:
        return "fine"

    assert asyncio.run(hidden()) == "fine"
    seen = hidden.circuit_breaker.snapshot()  # type: ignore[attr-defined]
    assert (seen.calls, seen.failures) == (1, 0)


def test_a_store_in_memory_forgets_what_is_over(clock: ManualClock) -> None:
    """Items past their time are not shown, and are dropped as others are written, so that nothing grows for ever."""
    store = MemoryStore(clock=clock)
    for n in range(50):
        store.put("old", str(n), {}, ttl=int(clock.wall()) + 10)
    store.put("kept", "x", {"n": 1})
    clock.advance(11)
    assert store.query("old") == []
    for n in range(5_000):
        store.put("new", str(n % 10), {})
    assert {pk: len(items) for pk, items in store._items.items()} == {"kept": 1, "new": 10}


def test_a_cache_whose_store_fails_half_way(clock: ManualClock) -> None:
    """While reads are answered and writes are not, values are kept here; an invalidation that is lost says so."""
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
