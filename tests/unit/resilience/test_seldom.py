"""What happens seldom: subscribers that raise, recursion, refreshes and writes that fail, memories that are full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import resilience.store as store_package
from resilience import (
    CacheManager,
    ConfigurationError,
    MemoryStore,
    RateLimiter,
    StoreError,
    _sleep,
    cached,
    circuit_breaker,
    events,
    flush,
    served,
    with_retry,
)
from resilience._background import soon
from resilience.cache.single_flight import run_plain
from resilience.store._values import load_item
from resilience.testing import ManualClock, no_wait
from testing.faulty_store import FaultyStore
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
    """Behind a stale answer an error changes nothing but the log, and a second later the next call tries again."""
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


def test_nobody_listens_and_nothing_happens(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """An event without a subscriber costs a look at an empty list, and is not even made for a hit."""
    monkeypatch.setattr(events, "_subscribers", [])
    events.emit(events.CACHE_HIT, "key")
    assert not events.wanted(events.CACHE_HIT)
    call = Kit("plain", clock)
    assert call("a") == call("a")
    assert served() is None


def test_generators_are_not_cached(clock: ManualClock) -> None:
    """They can be read only once."""

    def numbers() -> Iterator[int]:
        yield 1

    with pytest.raises(ConfigurationError, match="generator"):
        cached(60, manager=CacheManager(clock=clock))(numbers)


def test_a_plain_function_does_not_wait_for_an_event_loop() -> None:
    """A mistake in the cache itself is told, and leaves nothing running."""

    async def waits() -> None:
        await asyncio.sleep(1)

    async def scenario() -> None:
        with pytest.raises(RuntimeError, match="event loop"):
            run_plain(waits())

    asyncio.run(scenario())


def test_a_table_that_goes_down_before_a_refresh_lets_it_happen(clock: ManualClock) -> None:
    """Without the right to refresh for the fleet each environment does for itself."""
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
    """Between the stale answer and the right to refresh, another environment may have stored a new value."""
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
    """When others write the key all the time, the caller hears that the old value may be served elsewhere."""
    store = FaultyStore(MemoryStore(clock=clock))
    call = Kit("plain", clock, store)
    call("a")
    store.put_if = lambda *_, **__: False  # type: ignore[method-assign]
    assert call.function.invalidate("a") is False


def test_work_in_the_background_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for it, so the log is the only place to say so."""

    def broken() -> None:
        raise ZeroDivisionError

    soon(broken, blocking=True)
    assert flush(5)
    assert any("background" in record.getMessage() for record in caplog.records)


def test_more_waits_than_are_kept_are_forgotten() -> None:
    """A test that skips thousands of waits does not fill its memory with them."""
    with no_wait() as waits:
        for _ in range(1_100):
            _sleep.sleep(1)
    assert len(waits) == 1_000


@pytest.mark.parametrize("name", ["Nothing", "__path"])
def test_the_store_has_only_what_it_says(name: str) -> None:
    """A misspelt import is an AttributeError like anywhere."""
    with pytest.raises(AttributeError):
        getattr(store_package, name)


def test_a_kind_that_nothing_writes_is_refused() -> None:
    """Rather than read as something else."""
    with pytest.raises(TypeError, match="kind SS"):
        load_item({"pk": {"S": "a"}, "sk": {"S": "b"}, "x": {"SS": ["c"]}})


def test_a_retry_without_a_budget_is_not_counted() -> None:
    """Where the budget is none every retry is made."""
    tries = []

    def fails() -> None:
        tries.append(1)
        raise ConnectionError

    async def fails_async() -> None:
        fails()

    with no_wait():
        for _ in range(30):
            with pytest.raises(ConnectionError):
                with_retry(max_retries=1, budget=None)(fails)()
            with pytest.raises(ConnectionError):
                asyncio.run(with_retry(max_retries=1, budget=None)(fails_async)())
    assert len(tries) == 120


def test_limits_can_be_enforced(clock: ManualClock) -> None:
    """The decision comes back when the call may be made."""
    limiter = RateLimiter(per_minute=5, clock=clock)
    assert limiter.enforce("u").allowed
