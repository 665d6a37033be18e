"""An invalidated value does not return, whatever was in progress, down or frozen at that moment."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from resilience import CacheManager, ConfigurationError, MemoryStore, cached, deadline, settle, timeout_for
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


class Database:
    """A changing value, and environments that read it through their own caches over one table."""

    def __init__(self, clock: ManualClock, **settings: Any) -> None:
        self.value, self.reads = "old", 0
        self.clock, self.settings = clock, settings
        self.table = MemoryStore(clock=clock)

    async def read(self) -> str:
        self.reads += 1
        return self.value

    def environment(self, store: Any = None) -> Any:
        manager = CacheManager(store=store or FaultyStore(self.table), clock=self.clock)
        return cached(manager=manager, **self.settings)(self.read)


def test_a_refresh_that_was_under_way_is_not_kept(clock: ManualClock) -> None:
    """A refresh that read the value before the write is discarded."""
    began, go = asyncio.Event(), asyncio.Event()
    value = "old"

    @cached(60, stale_while_revalidate=30, manager=CacheManager(clock=clock))
    async def read() -> str:
        found = value
        if began.is_set():
            await go.wait()
        return found

    async def scenario() -> None:
        nonlocal value
        assert await read() == "old"
        clock.advance(61)
        began.set()
        assert await read() == "old"  # stale, with a refresh in the background
        await asyncio.sleep(0)
        value = "new"
        await read.invalidate_async()
        go.set()
        await asyncio.sleep(0.01)
        began.clear()
        assert await read() == "new"

    asyncio.run(scenario())


def test_a_read_between_the_halves_of_an_invalidation_is_forgotten(clock: ManualClock) -> None:
    """Another request may read the old value from the table before the marker is written."""
    writing, go = threading.Event(), threading.Event()

    class Slow(FaultyStore):
        blocking = True

        def put_if(self, *arguments: Any, **options: Any) -> bool:
            if arguments[2].get("tombstone"):
                writing.set()
                go.wait(5)
            return super().put_if(*arguments, **options)

    database = Database(clock, ttl=3600)
    profile = database.environment(Slow(database.table))

    async def scenario() -> None:
        await profile()
        database.value = "new"
        invalidation = asyncio.create_task(profile.invalidate_async())
        await asyncio.to_thread(writing.wait, 5)
        assert await profile() == "old"
        go.set()
        assert await invalidation
        assert await profile() == "new"

    asyncio.run(scenario())


def test_what_is_remembered_for_longer_than_a_marker_is_not_believed(clock: ManualClock) -> None:
    """An environment that has not read a key for hours cannot know whether it was invalidated."""
    database = Database(clock, ttl=86_400)
    one, other = database.environment(), database.environment()
    assert (asyncio.run(one()), asyncio.run(other())) == ("old", "old")
    database.value = "new"
    assert one.invalidate()
    clock.advance(3_601)
    assert asyncio.run(other()) == "new"


def test_what_outlived_its_marker_still_stands_in_for_a_failure(clock: ManualClock) -> None:
    """A value that may be outdated is better than none, where stale_if_error allows it."""
    database = Database(clock, ttl=60, stale_if_error=86_400)
    table = FaultyStore(database.table)

    async def read() -> str:
        if database.value == "down":
            raise ConnectionError
        return database.value

    kept = cached(60, stale_if_error=86_400, manager=CacheManager(store=table, clock=clock))(read)
    assert asyncio.run(kept()) == "old"
    database.table.delete(next(pk for pk in database.table._items if pk.startswith("cache#")), "value")
    database.value = "down"
    clock.advance(7_200)
    assert asyncio.run(kept()) == "old"


def test_a_value_from_an_outage_of_the_table_is_asked_about_again(clock: ManualClock) -> None:
    """A value computed during an outage of the table can still be invalidated by others."""
    database = Database(clock, ttl=3_600)
    store = FaultyStore(database.table)
    lonely, other = database.environment(store), database.environment()
    store.down = True
    assert asyncio.run(lonely()) == "old"
    store.down = False
    database.value = "new"
    assert other.invalidate()
    clock.advance(5)
    assert asyncio.run(lonely()) == "new"


def test_functions_of_one_name_are_told_apart(clock: ManualClock) -> None:
    """Functions made by one factory around different variables must not share answers."""
    manager = CacheManager(clock=clock)

    def client_for(user: str, prefix: str = "") -> Any:
        @cached(60, key_prefix=prefix, manager=manager)
        def orders() -> str:
            return f"orders of {user}"

        return orders

    alice = client_for("alice")
    with pytest.raises(ConfigurationError, match="another function has this name"):
        client_for("bob")
    bob = client_for("bob", prefix="bob")
    assert (alice(), bob()) == ("orders of alice", "orders of bob")
    cached(60, manager=manager)(lambda: 1)
    with pytest.raises(ConfigurationError, match="another function has this name"):
        cached(60, manager=manager)(lambda: 2)
    cached(120, manager=manager)(alice.__wrapped__)  # the same function may be cached with another policy


def test_a_refresh_is_done_when_the_invocation_ends(clock: ManualClock) -> None:
    """On Lambda the loop stops between invocations, so background work cannot wait for the next."""
    refreshed: list[float | None] = []
    manager = CacheManager(store=FaultyStore(MemoryStore(clock=clock)), clock=clock)

    @cached(60, stale_while_revalidate=300, manager=manager)
    async def board() -> int:
        refreshed.append(timeout_for("database"))  # None: without the caller's deadline
        await asyncio.sleep(0.02)
        return len(refreshed)

    async def request() -> int:
        with deadline(0.5):
            return await board()

    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(request()) == 1
    clock.advance(61)
    assert loop.run_until_complete(request()) == 1
    assert settle(loop)
    assert loop.run_until_complete(request()) == 2
    assert refreshed[0] is not None
    assert refreshed[1] is None
    clock.advance(61)
    loop.run_until_complete(request())
    assert not settle(loop, 0.001)
    assert settle(loop)
    loop.close()


def test_what_cannot_be_copied_is_returned_all_the_same(clock: ManualClock) -> None:
    """A value that cannot be cached, such as a lock, is returned to its caller."""
    made = threading.Lock()
    assert cached(60, manager=CacheManager(clock=clock))(lambda: made)() is made


def test_equal_arguments_have_one_key(clock: ManualClock) -> None:
    """Equal mappings have one key for any insertion order, with keys of any kind."""

    @cached(60, manager=CacheManager(clock=clock))
    def total(scores: dict[int, int]) -> int:
        return sum(scores.values())

    assert total.cache_key({1: 10, 2: 20}) == total.cache_key({2: 20, 1: 10})
    assert total.cache_key({1: 10}) != total.cache_key({"1": 10})  # type: ignore[dict-item]
