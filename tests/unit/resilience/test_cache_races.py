"""The cache under concurrent requests, and while a key is invalidated."""

from __future__ import annotations

import asyncio
import threading

import pytest

from resilience import (
    CacheManager,
    MemoryStore,
    cached,
)
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from tests.unit.resilience.caching import Kit


def test_a_thousand_misses_at_once_compute_once(clock: ManualClock) -> None:
    """A thousand tasks that miss together wait for one computation."""
    kit = Kit("async", clock)

    async def scenario() -> None:
        answers = await asyncio.gather(*(kit.function("a") for _ in range(1_000)))
        assert {answer["n"] for answer in answers} == {1}
        answers[0]["n"] = 99
        assert answers[1]["n"] == 1

    asyncio.run(scenario())
    assert kit.source.calls == 1
    assert kit.manager.get_stats().coalesced == 999


def test_a_computation_is_joined_only_while_it_is_under_way(clock: ManualClock) -> None:
    """A request after a failure gets neither that failure nor a value that was not to be cached."""
    kit = Kit("async", clock)

    async def scenario() -> None:
        kit.source.down = True
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await kit.function("a")
        kit.source.down = False
        assert (await kit.function("a"))["n"] == 3

    asyncio.run(scenario())
    assert kit.source.calls == 3


def test_threads_that_miss_at_once_compute_once(clock: ManualClock) -> None:
    """Ten threads that miss during a computation wait for it."""
    started, go, calls, answers = threading.Event(), threading.Event(), [], []

    @cached(60, manager=CacheManager(clock=clock))
    def slow() -> int:
        calls.append(1)
        started.set()
        go.wait(10)
        return 7

    threads = [threading.Thread(target=lambda: answers.append(slow())) for _ in range(10)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert (len(calls), answers) == (1, [7] * 10)


def test_a_cancelled_leader_does_not_take_the_others_along(clock: ManualClock) -> None:
    """The computation continues for the remaining waiters."""
    kit = Kit("async", clock)

    async def scenario() -> None:
        leader = asyncio.create_task(kit.function("a"))
        follower = asyncio.create_task(kit.function("a"))
        await asyncio.sleep(0)
        leader.cancel()
        assert (await follower)["n"] == 1

    asyncio.run(scenario())


def test_what_was_under_way_at_an_invalidation_is_not_kept(clock: ManualClock) -> None:
    """A value computed from data before a write is neither stored nor shared after it."""
    gate, calls = asyncio.Event, []

    async def scenario() -> None:
        hold = gate()

        @cached(60, manager=CacheManager(clock=clock))
        async def read() -> int:
            calls.append(1)
            number = len(calls)
            if number == 1:
                await hold.wait()
            return number

        before = asyncio.create_task(read())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await read.invalidate_async()  # type: ignore[attr-defined]
        assert await read() == 2
        hold.set()
        assert await before == 1
        assert await read() == 2

    asyncio.run(scenario())


def test_a_value_from_before_an_invalidation_is_never_stored_after_it(clock: ManualClock) -> None:
    """When one environment invalidates while another computes, nobody sees the old value."""

    async def scenario() -> None:
        shared, hold, value = MemoryStore(clock=clock), asyncio.Event(), "old"

        async def read() -> str:
            seen = value
            await hold.wait()
            return seen

        first, second = (
            cached(60, private=private, manager=CacheManager(clock=clock, store=FaultyStore(shared)))(read)
            for private in (True, True)
        )
        before = asyncio.create_task(first())
        await asyncio.sleep(0)
        value = "new"
        await second.invalidate_async()  # type: ignore[attr-defined]
        hold.set()
        assert await before == "old"
        assert await second() == "new"
        assert await first() == "new"

    asyncio.run(scenario())
