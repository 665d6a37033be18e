"""Orders given in an event loop, over a blocking store: the loop keeps running, and the store gets them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from resilience import CacheManager, CircuitBreaker, EventCounter, MemoryStore, PerformanceMonitor, flush
from resilience.events import Event
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


class BlockingStore(FaultyStore):
    """A store like DynamoDB's: its calls take time, and run in threads."""

    blocking = True


Order = Callable[[], object]


def orders(view: BlockingStore, clock: ManualClock) -> dict[str, Order]:
    cache, monitor = CacheManager(store=view, clock=clock), PerformanceMonitor(store=view, clock=clock)
    errors = EventCounter("errors", store=view, clock=clock)
    breaker = CircuitBreaker("orders", store=view, clock=clock)
    return {
        "clear": cache.clear,
        "invalidate": lambda: cache.invalidate("key"),
        "reset": monitor.reset,
        "forget": errors.clear,
        "open": breaker.force_open,
    }


@pytest.mark.parametrize("name", ["clear", "invalidate", "reset", "forget", "open"])
def test_an_order_from_an_event_loop_reaches_the_store(name: str, clock: ManualClock) -> None:
    """The order is written by the time `flush` returns; from sync code it is written immediately."""
    view = BlockingStore(MemoryStore(clock=clock))
    order = orders(view, clock)[name]

    async def in_the_loop() -> None:
        order()

    asyncio.run(in_the_loop())
    assert flush()
    assert view.writes >= 1
    before = view.writes
    order()
    assert view.writes > before


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("clear", ("cache", "clear")),
        ("reset", ("metrics", "clear")),
        ("forget", ("errors", "clear")),
        ("open", ("orders", "put_if")),
    ],
)
def test_an_order_that_is_not_heard_is_told(
    name: str, told: tuple[str, str], clock: ManualClock, events: list[Event]
) -> None:
    """An event has the part, the attempted operation, and the store's error."""
    view = BlockingStore(MemoryStore(clock=clock))
    order = orders(view, clock)[name]
    view.lose_writes = True
    order()
    seen = [event for event in events if event.kind == "store_error"]
    assert [(event.name, event.details["operation"], event.details["error"]) for event in seen] == [
        (*told, "lost on the way there")
    ]


def test_whoever_waits_is_told_whether_it_was_heard(clock: ManualClock) -> None:
    """The async orders return whether they were stored."""
    view = BlockingStore(MemoryStore(clock=clock))
    cache, monitor = CacheManager(store=view, clock=clock), PerformanceMonitor(store=view, clock=clock)
    errors = EventCounter("errors", store=view, clock=clock)

    async def all_of_them() -> list[bool]:
        return [
            await cache.clear_async(),
            await cache.invalidate_async("key"),
            await monitor.reset_async(),
            await errors.clear_async(),
        ]

    assert asyncio.run(all_of_them()) == [True] * 4
    view.down = True
    assert asyncio.run(all_of_them()) == [False] * 4
    assert cache.get_stats().invalidations == 2
