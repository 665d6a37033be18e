"""The connection pool: its limit, its fairness, cancellation, and closed event loops."""

from __future__ import annotations

import asyncio
import threading

import pytest

from resilience import BulkheadFullError, ConnectionPool, connection_pool, deadline, events
from resilience.testing import ManualClock


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_works_as_the_guide_shows() -> None:
    """The process's pool has 20 slots; acquire and release are awaited."""

    async def scenario() -> None:
        await connection_pool.acquire()
        try:
            stats = connection_pool.get_stats()
            assert (stats.active, stats.limit, stats.utilisation) == (1, 20, 0.05)
        finally:
            await connection_pool.release()

    asyncio.run(scenario())
    assert connection_pool.get_stats().active == 0


def test_never_more_than_the_limit_at_once() -> None:
    """A hundred tasks share three slots, and all get one eventually."""
    pool, active, most = ConnectionPool(3), 0, 0

    async def work() -> None:
        nonlocal active, most
        async with pool:
            active += 1
            most = max(most, active)
            await asyncio.sleep(0)
            active -= 1

    async def scenario() -> None:
        await asyncio.gather(*(work() for _ in range(100)))

    asyncio.run(scenario())
    assert most == 3
    stats = pool.get_stats()
    assert (stats.acquired, stats.active, stats.peak) == (100, 0, 3)


def test_waiters_are_served_in_order() -> None:
    """Waiters are served in order, even if a new caller arrives at the moment of a release."""

    async def scenario() -> list[int]:
        pool, order = ConnectionPool(1), []

        async def work(n: int) -> None:
            async with pool:
                order.append(n)
                await asyncio.sleep(0)

        await pool.acquire()
        tasks = [asyncio.create_task(work(n)) for n in range(5)]
        await settle()
        await pool.release()
        tasks.append(asyncio.create_task(work(99)))
        await asyncio.gather(*tasks)
        return order

    assert asyncio.run(scenario()) == [0, 1, 2, 3, 4, 99]


def test_waiting_ends() -> None:
    """A caller gives up after its timeout or deadline, and leaves the queue."""

    async def scenario() -> None:
        pool = ConnectionPool(1)
        await pool.acquire()
        with pytest.raises(BulkheadFullError):
            await pool.acquire(timeout=0)
        with deadline(0), pytest.raises(BulkheadFullError):
            await pool.acquire()
        stats = pool.get_stats()
        assert (stats.waiting, stats.timeouts, stats.active) == (0, 2, 1)

    asyncio.run(scenario())


@pytest.mark.parametrize("moment", ["waiting", "granted"])
def test_a_cancelled_waiter_keeps_nothing(moment: str) -> None:
    """If a waiter is cancelled while waiting or just as it is served, the next one gets the slot."""

    async def scenario() -> None:
        pool = ConnectionPool(1)
        await pool.acquire()
        first = asyncio.create_task(pool.acquire())
        second = asyncio.create_task(pool.acquire())
        await settle()
        if moment == "granted":
            await pool.release()
            first.cancel()
        else:
            first.cancel()
            await pool.release()
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.wait_for(second, 1)
        assert pool.get_stats().active == 1
        await pool.release()
        assert pool.get_stats().active == 0

    asyncio.run(scenario())


def test_a_cancelled_waiter_takes_nobody_elses_slot() -> None:
    """A waiter that is cancelled and skipped by a release in the same tick releases nothing."""

    async def scenario() -> None:
        pool = ConnectionPool(2)
        await pool.acquire()
        await pool.acquire()
        waiter = asyncio.create_task(pool.acquire())
        await settle()
        waiter.cancel()
        await pool.release()
        await asyncio.gather(waiter, return_exceptions=True)
        assert pool.get_stats().active == 1

    asyncio.run(scenario())


def test_slots_of_a_closed_loop_come_back() -> None:
    """An event loop that closed with slots and waiters does not shrink the pool."""
    pool = ConnectionPool(1)

    async def leak() -> None:
        await pool.acquire()
        asyncio.create_task(pool.acquire())  # noqa: RUF006 - it dies with the loop
        await settle()

    asyncio.run(leak())

    async def use() -> None:
        async with pool:
            assert pool.get_stats().active == 1

    asyncio.run(use())


def test_waiters_of_a_closed_loop_are_passed_over() -> None:
    """Waiters behind them in running loops are served, even by a release from sync code."""
    pool = ConnectionPool(1)
    holder, dead = asyncio.new_event_loop(), asyncio.new_event_loop()
    holder.run_until_complete(pool.acquire())
    lost = dead.create_task(pool.acquire())
    dead.run_until_complete(asyncio.sleep(0))
    living = holder.create_task(pool.acquire())
    holder.run_until_complete(asyncio.sleep(0))
    assert pool.get_stats().waiting == 2
    lost._log_destroy_pending = False  # type: ignore[attr-defined]
    dead.close()
    pool.release_nowait()  # no loop is running
    holder.run_until_complete(living)
    assert pool.get_stats().waiting == 0
    holder.run_until_complete(pool.release())
    assert pool.get_stats().active == 0
    holder.close()


def test_a_slot_that_died_with_its_loop_goes_to_who_waits() -> None:
    """The next acquire frees the slot, and waiters of closed loops get none."""
    pool = ConnectionPool(1)
    holder, dead, living = (asyncio.new_event_loop() for _ in range(3))
    holder.run_until_complete(pool.acquire())
    tasks = [loop.create_task(pool.acquire()) for loop in (dead, living)]
    for loop in (dead, living):
        loop.run_until_complete(asyncio.sleep(0))
    tasks[0]._log_destroy_pending = False  # type: ignore[attr-defined]
    holder.close()
    dead.close()

    async def another() -> None:
        with pytest.raises(BulkheadFullError):
            await pool.acquire(timeout=0.01)

    asyncio.run(another())
    living.run_until_complete(tasks[1])
    assert (pool.get_stats().active, pool.get_stats().waiting) == (1, 0)
    living.close()


def test_a_slot_of_one_loop_goes_to_a_waiter_of_another() -> None:
    """Threads with their own loops share the pool: a release in one serves a waiter in another."""
    pool = ConnectionPool(1)
    waiting, served = threading.Event(), threading.Event()

    async def wait_for_a_slot() -> None:
        waiter = asyncio.create_task(pool.acquire())
        await settle()
        waiting.set()
        await waiter
        served.set()
        await pool.release()

    async def hold() -> None:
        await pool.acquire()
        thread = threading.Thread(target=lambda: asyncio.run(wait_for_a_slot()))
        thread.start()
        assert waiting.wait(10)
        assert pool.get_stats().waiting == 1
        await pool.release()
        await asyncio.to_thread(thread.join, 10)

    asyncio.run(hold())
    assert served.is_set()
    stats = pool.get_stats()
    assert (stats.active, stats.waiting, stats.acquired, stats.peak) == (0, 0, 2, 1)


def test_waits_are_measured(clock: ManualClock) -> None:
    """Statistics start at zero, then have the total wait and the longest."""
    pool = ConnectionPool(1, clock=clock)
    fresh = pool.get_stats()
    assert (fresh.wait_seconds_total, fresh.wait_seconds_max, fresh.acquired) == (0.0, 0.0, 0)

    async def scenario() -> None:
        for seconds in (3.0, 1.0):
            await pool.acquire()
            waiter = asyncio.create_task(pool.acquire())
            await settle()
            clock.advance(seconds)
            await pool.release()
            await waiter
            await pool.release()

    asyncio.run(scenario())
    stats = pool.get_stats()
    assert (stats.wait_seconds_total, stats.wait_seconds_max) == (pytest.approx(4.0), pytest.approx(3.0))


def test_giving_up_is_told(clock: ManualClock, events: list[events.Event]) -> None:
    """The error has the number of slots and the wait; an event is sent."""

    async def scenario() -> BulkheadFullError:
        pool = ConnectionPool(2, timeout=0, clock=clock)
        await pool.acquire()
        await pool.acquire()
        with pytest.raises(BulkheadFullError) as refused:
            await pool.acquire()
        return refused.value

    error = asyncio.run(scenario())
    assert error.waited == 0.0
    assert str(error) == "all 2 slots busy for 0.00 s"
    assert [(event.kind, event.name, event.details) for event in events] == [
        ("pool_timeout", "connection_pool", {"limit": 2})
    ]


def test_a_pool_without_patience_of_its_own_waits_as_long_as_the_call_does() -> None:
    """timeout=None waits indefinitely; a call's own timeout overrides the pool's."""

    async def scenario() -> None:
        pool = ConnectionPool(1, timeout=None)
        await pool.acquire()
        waiter = asyncio.create_task(pool.acquire())
        await settle()
        assert pool.get_stats().waiting == 1
        with pytest.raises(BulkheadFullError):
            await pool.acquire(0)
        await pool.release()
        await waiter
        impatient = ConnectionPool(1, timeout=0)
        await impatient.acquire()
        patient = asyncio.create_task(impatient.acquire(60))
        await settle()
        await impatient.release()
        await patient

    asyncio.run(scenario())


def test_giving_back_nothing_is_an_error() -> None:
    """Release without acquire is a bug of the caller, and an error."""
    with pytest.raises(RuntimeError, match="without acquire"):
        asyncio.run(ConnectionPool().release())


def test_an_interrupted_wait_leaves_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that is interrupted while it waits is granted nothing later."""

    def interrupted(*_: object) -> bool:
        raise KeyboardInterrupt

    pool = ConnectionPool(1)
    with pool.slot():
        monkeypatch.setattr(threading.Event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt), pool.slot():
            pass
        monkeypatch.undo()
    assert (pool.get_stats().active, pool.get_stats().waiting) == (0, 0)
