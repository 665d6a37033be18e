"""Single flight: loops, deadlines, cancellations, hanging computations and slow refreshes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from resilience import (
    CacheManager,
    DeadlineExceededError,
    FallbackHandler,
    MemoryStore,
    cached,
    deadline,
    flush,
    track_degradation,
    with_fallback,
)
from resilience.cache.single_flight import LONGEST_WAIT
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from tests.unit.resilience.caching import Kit


def test_two_loops_cost_two_computations(clock: ManualClock) -> None:
    """Of sixteen concurrent tasks in each of two loops, each loop computes once."""
    kit, all_asked, asked = Kit("async", clock), threading.Event(), []
    real = kit.source.asynchronous

    async def slow(user: str = "u") -> Any:
        await asyncio.to_thread(all_asked.wait, 10)
        return await real(user)

    function: Any = cached(60, key=lambda user="u": user, manager=kit.manager)(slow)

    async def ask() -> None:
        asked.append(1)
        if len(asked) == 32:
            all_asked.set()
        await function("a")

    async def loop() -> None:
        await asyncio.gather(*(ask() for _ in range(16)))

    threads = [threading.Thread(target=lambda: asyncio.run(loop()), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert 1 <= kit.source.calls <= 2  # one, if a loop was done before the other started


def test_a_follower_has_its_own_deadline(clock: ManualClock) -> None:
    """A follower stops waiting when its time is over, and the leader continues."""
    goes_on = asyncio.Event()

    @cached(60, manager=CacheManager(clock=clock), key_prefix="own deadline")
    async def slow() -> int:
        await goes_on.wait()
        return 42

    async def scenario() -> None:
        leader = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        with deadline(0.01), pytest.raises(DeadlineExceededError):
            await slow()
        goes_on.set()
        assert await leader == 42

    asyncio.run(scenario())


def test_a_leaders_deadline_is_not_its_followers(clock: ManualClock) -> None:
    """A computation that failed for the leader's deadline is repeated by a follower that has time."""
    calls = []

    @cached(60, manager=CacheManager(clock=clock), key_prefix="leaders deadline")
    async def slow() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        if len(calls) == 1:
            raise DeadlineExceededError
        return 42

    async def scenario() -> None:
        with deadline(60):
            leader = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        assert await slow() == 42
        with pytest.raises(DeadlineExceededError):
            await leader

    asyncio.run(scenario())


def test_a_cancelled_computation_is_done_again(clock: ManualClock) -> None:
    """A follower repeats a cancelled computation, but a cancelled follower is cancelled."""
    calls = []

    @cached(60, manager=CacheManager(clock=clock), key_prefix="cancelled")
    async def slow() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        if len(calls) == 1:
            raise asyncio.CancelledError
        return 42

    async def scenario() -> None:
        leader = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        assert await slow() == 42
        with pytest.raises(asyncio.CancelledError):
            await leader

    asyncio.run(scenario())


def test_a_cancelled_caller_leaves_the_computation_to_the_others(clock: ManualClock) -> None:
    """When the leader is cancelled, the follower gets the value of the same computation."""
    goes_on, calls = asyncio.Event(), []

    @cached(60, manager=CacheManager(clock=clock), key_prefix="left")
    async def slow() -> int:
        calls.append(1)
        await goes_on.wait()
        return 42

    async def scenario() -> None:
        leader = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        follower = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        leader.cancel()
        await asyncio.sleep(0)
        goes_on.set()
        assert await follower == 42

    asyncio.run(scenario())
    assert len(calls) == 1


def test_a_computation_that_hangs_disables_no_key(clock: ManualClock) -> None:
    """After its maximum wait the next caller starts a new computation, async and sync."""
    calls, never = [], threading.Event()

    @cached(60, manager=CacheManager(clock=clock), key_prefix="hangs")
    async def slow() -> int:
        calls.append(1)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return 42

    async def scenario() -> None:
        hung = asyncio.ensure_future(slow())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        clock.advance(LONGEST_WAIT)
        assert await slow() == 42
        hung.cancel()

    asyncio.run(scenario())

    @cached(60, manager=CacheManager(clock=clock), key_prefix="hangs too")
    def plain() -> int:
        calls.append(1)
        if len(calls) == 3:
            started.set()
            never.wait(10)
        return 42

    started = threading.Event()
    thread = threading.Thread(target=plain, daemon=True)
    thread.start()
    assert started.wait(5)
    clock.advance(LONGEST_WAIT)
    assert plain() == 42
    never.set()
    thread.join(5)


def test_a_thread_has_its_own_deadline_too(clock: ManualClock) -> None:
    """A sync follower stops waiting when its time is over."""
    started, goes_on = threading.Event(), threading.Event()

    @cached(60, manager=CacheManager(clock=clock), key_prefix="thread")
    def slow() -> int:
        started.set()
        goes_on.wait(10)
        return 42

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()
    assert started.wait(5)
    with deadline(0.01), pytest.raises(DeadlineExceededError):
        slow()
    goes_on.set()
    thread.join(5)


def test_every_waiter_is_told_that_it_got_a_fallback(clock: ManualClock) -> None:
    """Leader and followers are all marked degraded, and a fallback's value is not cached as the real one."""
    handler, calls = FallbackHandler(), []
    handler.register_fallback("spare", 7)

    @cached(60, manager=CacheManager(clock=clock), key_prefix="fallback")
    @with_fallback("spare", handler=handler)
    async def fetch() -> int:
        calls.append(1)
        await asyncio.sleep(0)
        if len(calls) == 1:
            raise ConnectionError
        return 42

    async def one() -> tuple[int, tuple[str, ...]]:
        with track_degradation(), track_degradation() as served:
            return await fetch(), tuple(served.fallbacks)

    async def scenario() -> None:
        assert await asyncio.gather(*(one() for _ in range(3))) == [(7, ("spare",))] * 3
        assert await one() == (42, ())

    asyncio.run(scenario())
    assert len(calls) == 2


def test_slow_refreshes_of_one_key_take_one_thread(clock: ManualClock) -> None:
    """Five thousand stale hits during a slow refresh start no other, and other keys are refreshed meanwhile."""
    goes_on, calls = threading.Event(), []

    @cached(60, stale_while_revalidate=60, manager=CacheManager(clock=clock), key_prefix="slow refresh")
    def fetch(name: str) -> int:
        calls.append(name)
        if name == "slow" and calls.count("slow") > 1:
            goes_on.wait(10)
        return len(calls)

    fetch("slow")
    fetch("quick")
    clock.advance(61)
    for _ in range(5_000):
        fetch("slow")
    fetch("quick")
    for _ in range(1_000):
        if calls.count("quick") == 2:
            break
        threading.Event().wait(0.005)
    assert (calls.count("slow"), calls.count("quick")) == (2, 2)
    goes_on.set()
    assert flush(5)


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_while_another_environment_refreshes_hits_cost_no_requests(kind: str, clock: ManualClock) -> None:
    """One read and one attempt at the lease are made, and then stale answers come from memory for a while."""
    shared = MemoryStore(clock=clock)
    store = FaultyStore(shared)
    kit = Kit(kind, clock, store, stale_while_revalidate=60)
    kit("a")
    clock.advance(61)
    partition = next(pk for pk in shared._items if pk.startswith("cache#"))
    assert shared.put_if(partition, "lease", {}, expected_version=None, ttl=int(clock.wall()) + 30)
    before = store.reads + store.writes
    for _ in range(100):
        assert kit("a")["n"] == 1
        assert flush(5)
    assert store.reads + store.writes - before <= 3
    assert kit.source.calls == 1


@pytest.mark.parametrize("kind", ["plain", "async"])
def test_a_refresh_that_finds_nothing_evicts(kind: str, clock: ManualClock) -> None:
    """A value that is gone at its source is not served again, here or elsewhere."""
    shared = MemoryStore(clock=clock)
    one, two = (Kit(kind, clock, FaultyStore(shared), stale_while_revalidate=60) for _ in range(2))
    one("a")
    two("a")
    clock.advance(61)
    one.source.gone = True
    assert one("a")["n"] == 1
    assert flush(5)
    assert one("a") is None
    clock.advance(6)
    assert two("a")["n"] == 1  # computed again: its own source has it
    assert two.source.calls == 1


def test_no_version_comes_twice(clock: ManualClock) -> None:
    """A value computed before an invalidation is not stored after it, even if items expired meanwhile."""
    shared = MemoryStore(clock=clock)
    one, two = Kit("plain", clock, FaultyStore(shared)), Kit("plain", clock, FaultyStore(shared))
    key = one.function.cache_key("a")
    one("a")
    seen = one.manager.shared
    assert seen is not None
    before = seen.get(key, 0, clock.wall())
    clock.advance(3_700)  # the item has expired
    two.function.invalidate("a")
    from resilience.cache.entry import Entry

    late = Entry('"computed long ago"', clock.wall(), 0, clock.wall())
    assert seen.put(key, late, before, clock.wall() + 60) is False
    assert seen.get(key, 0, clock.wall()).invalidated


@pytest.mark.parametrize("attributes", [{"text": '{"~unknown": 1}', "created": 1e12}, {"text": 5}, {"other": "x"}])
def test_an_entry_that_cannot_be_decoded_is_a_miss(attributes: dict[str, Any], clock: ManualClock) -> None:
    """An entry of another version is recomputed and replaced."""
    shared = MemoryStore(clock=clock)
    one, two = Kit("plain", clock, FaultyStore(shared)), Kit("plain", clock, FaultyStore(shared))
    one("a")
    partition, items = next((pk, items) for pk, items in shared._items.items() if pk.startswith("cache#"))
    attributes = {name: clock.wall() if value == 1e12 else value for name, value in attributes.items()}
    assert shared.put_if(partition, "value", attributes, expected_version=items["value"].version)
    assert two("a")["n"] == 1
    assert two.source.calls == 1
    clock.advance(6)
    assert one("a") is not None


def test_keys_count_towards_the_bytes(clock: ManualClock) -> None:
    """A thousand long keys of small values stay within the byte limit."""
    manager = CacheManager(clock=clock, max_bytes=100_000)
    function: Any = cached(60, manager=manager)(lambda name: 1)
    for n in range(1_000):
        function(f"{n}" + "x" * 5_000)
    stats = manager.get_stats()
    assert stats.entries < 20
    assert stats.bytes <= 100_000
