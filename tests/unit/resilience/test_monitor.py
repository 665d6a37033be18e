"""The monitor: its accuracy, its bounds, and how a fleet's figures are merged."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import resilience
from resilience import (
    MemoryStore,
    PerformanceMonitor,
    Sketch,
    monitor_performance,
    performance_monitor,
)
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore

times = st.floats(1e-5, 1e4)


@given(st.lists(st.lists(times, min_size=1, max_size=50), min_size=1, max_size=5), st.floats(0, 1))
def test_merged_sketches_are_exact_to_one_percent(parts: list[list[float]], share: float) -> None:
    """For any distribution over environments each merged quantile is within 1 %."""
    merged = Sketch()
    for part in parts:
        sketch = Sketch()
        for value in part:
            sketch.add(value)
        merged.merge(Sketch.load(sketch.dump()))
    ordered = sorted(value for part in parts for value in part)
    exact = ordered[int(share * (len(ordered) - 1))]
    assert merged.quantile(share) == pytest.approx(exact, rel=0.0101)
    assert merged.count == len(ordered)
    assert merged.mean() == pytest.approx(sum(ordered) / len(ordered), abs=1e-4)


def test_a_sketch_stays_small() -> None:
    """A hundred thousand durations from a tenth of a millisecond to a minute fit into a few hundred buckets."""
    sketch, chance = Sketch(), random.Random(1)
    for _ in range(100_000):
        sketch.add(10 ** chance.uniform(-4, 1.8))
    assert len(sketch.bins) < 700
    assert Sketch().quantile(0.5) == 0.0
    sketch.add(0.0)
    assert sketch.quantile(0.0) < 1e-5


def test_counts_calls_and_errors(clock: ManualClock) -> None:
    """Sync and async functions are timed; errors are counted and passed on, cancellation is not counted."""
    monitor, ticks = PerformanceMonitor(clock=clock), iter(range(100))
    settings: dict[str, Any] = {"monitor": monitor, "timer": lambda: next(ticks) / 10}

    @monitor_performance("GET /x", **settings)
    def plain(fails: bool) -> str:
        if fails:
            raise ValueError("x")
        return "fine"

    @monitor_performance("GET /x", **settings)
    async def asynchronous(error: BaseException | None) -> str:
        if error:
            raise error
        return "fine"

    assert plain(False) == asyncio.run(asynchronous(None)) == "fine"
    for call in (lambda: plain(True), lambda: asyncio.run(asynchronous(ValueError("x")))):
        with pytest.raises(ValueError, match="x"):
            call()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asynchronous(asyncio.CancelledError()))
    figures = monitor.get_metrics()["GET /x"]
    assert (figures.count, figures.errors, figures.slow) == (4, 2, 0)
    assert figures.p50 == pytest.approx(0.1, rel=0.01)


def test_slow_calls_are_listed_and_bounded(clock: ManualClock) -> None:
    """Calls over the threshold are listed, newest first, up to the list's limit."""
    monitor = PerformanceMonitor(clock=clock)
    for n in range(300):
        monitor.record("GET /slow", 1.0 + n / 100)
    calls = monitor.slow_requests(threshold=3.5)
    assert calls[0].seconds == pytest.approx(3.99)
    assert all(call.seconds > 3.5 for call in calls)
    assert len(monitor.slow_requests()) == 100
    assert monitor.get_metrics()["GET /slow"].slow == 299


def test_names_are_bounded(clock: ManualClock) -> None:
    """A caller that puts ids into names fills one name instead of the memory."""
    monitor = PerformanceMonitor(clock=clock, max_names=5)
    for n in range(100):
        monitor.record(f"GET /users/{n}", 0.01)
    metrics = monitor.get_metrics()
    assert len(metrics) == 6
    assert metrics["(other)"].count == 95


def fleet(clock: ManualClock, size: int) -> tuple[list[PerformanceMonitor], list[FaultyStore]]:
    shared = MemoryStore(clock=clock)
    stores = [FaultyStore(shared) for _ in range(size)]
    return [PerformanceMonitor(store=store, clock=clock) for store in stores], stores


def test_the_fleet_speaks_with_one_voice(clock: ManualClock) -> None:
    """Each environment sees all environments' written calls, and its own unwritten ones."""
    monitors, _ = fleet(clock, 3)
    for n, monitor in enumerate(monitors):
        for _ in range(100):
            monitor.record("GET /x", 0.1 * (n + 1), error=n == 2)
        monitor.flush()
    report = asyncio.run(monitors[0].fleet_async())
    assert report.environments == 3
    assert report.complete
    assert (report.names["GET /x"].count, report.names["GET /x"].errors) == (300, 100)
    assert report.names["GET /x"].p50 == pytest.approx(0.2, rel=0.01)
    monitors[0].record("GET /x", 2.5)
    assert monitors[0].fleet().names["GET /x"].count == 301
    assert monitors[0].fleet().slow[0].seconds == 2.5


def test_latency_over_time(clock: ManualClock) -> None:
    """The report has one entry per minute, oldest first, as far back as requested."""
    (monitor,), _ = fleet(clock, 1)
    for n in range(20):
        monitor.record("GET /x", 0.1 + n / 10)
        clock.advance(60)
    minutes = monitor.fleet(5).minutes
    assert [minute.figures.count for minute in minutes] == [1] * 4
    assert [minute.at for minute in minutes] == sorted(minute.at for minute in minutes)


def test_writes_are_seldom(clock: ManualClock) -> None:
    """A busy environment writes once in ten seconds, however much it counts; an idle one does not write."""
    (monitor,), (store,) = fleet(clock, 1)
    for n in range(6_000):
        monitor.record(f"GET /{n % 10}", 0.01)
        clock.advance(0.01)
    assert store.writes <= 7
    (monitor,), (store,) = fleet(clock, 1)
    for _ in range(5):
        monitor.record("GET /x", 0.01)
    assert store.writes == 0
    clock.advance(60)
    monitor.record("GET /x", 0.01)
    assert store.writes == 2


def test_the_end_of_an_invocation_writes_only_what_is_due(clock: ManualClock) -> None:
    """flush() postpones a few calls, flush(final=True) writes them, and a restored copy starts again."""
    (monitor,), (store,) = fleet(clock, 1)
    monitor.record("GET /x", 0.1)
    monitor.flush_soon(only_if_due=True)
    assert store.writes == 0
    monitor.flush_soon()
    assert store.writes == 1
    monitor.record("GET /snapshot", 0.1)
    monitor.renew()
    monitor.record("GET /x", 0.1)
    monitor.flush()
    assert len(store.query("metrics")) == 2
    assert "GET /snapshot" not in monitor.fleet().names  # or each copy would count it


def test_a_reset_reaches_every_environment(clock: ManualClock) -> None:
    """Within five seconds everything counted earlier is gone everywhere."""
    monitors, _ = fleet(clock, 2)
    for monitor in monitors:
        monitor.record("GET /x", 0.1)
        monitor.flush()
    monitors[0].reset()
    clock.advance(5)
    assert monitors[1].get_metrics() == {}
    assert monitors[1].fleet().names == {}


def test_another_default_store_has_generations_of_its_own(clock: ManualClock) -> None:
    """A monitor that was reset in one store writes nothing that a reset in the next one leaves."""
    monitor, other = PerformanceMonitor(clock=clock), MemoryStore(clock=clock)
    monitor.reset()
    resilience.configure(store=other)
    monitor.record("GET /x", 0.1)
    monitor.flush()
    monitor.renew()  # to whom the old figures are another's
    monitor.reset()
    assert monitor.fleet().names == {}


def test_the_store_down_loses_nothing_it_can_keep(clock: ManualClock) -> None:
    """Its own figures continue, the report says that it is incomplete, and a later flush writes what was missing."""
    monitors, stores = fleet(clock, 2)
    stores[0].down = True
    for _ in range(50):
        monitors[0].record("GET /x", 0.1)
    assert not monitors[0].flush()
    report = monitors[0].fleet()
    assert (report.complete, report.names["GET /x"].count) == (False, 50)
    stores[0].down = False
    assert monitors[0].flush()
    assert monitors[1].fleet().names["GET /x"].count == 50


def test_works_as_the_guide_shows() -> None:
    """The decorator counts in the process's own monitor."""

    @monitor_performance("endpoint_name")
    async def my_endpoint() -> int:
        return 1

    performance_monitor.reset()
    assert asyncio.run(my_endpoint()) == 1
    assert performance_monitor.get_metrics()["endpoint_name"].count == 1
    performance_monitor.reset()


def test_the_slowest_calls_of_the_fleet(clock: ManualClock) -> None:
    """The slowest calls of all environments and minutes are first, up to the limit; a minute keeps its slowest."""
    monitors, _ = fleet(clock, 2)
    for seconds in (1.5, 9.0, 3.0):
        for n, monitor in enumerate(monitors):
            monitor.record(f"GET /{n}", seconds + n / 10, error=n == 1)
        clock.advance(60)
    for monitor in monitors:
        monitor.flush()
    slow = monitors[0].fleet().slow
    assert [call.seconds for call in slow] == pytest.approx([9.1, 9.0, 3.1, 3.0, 1.6, 1.5])
    assert [(call.name, call.failed) for call in slow[:2]] == [("GET /1", True), ("GET /0", False)]
    assert [call.seconds for call in asyncio.run(monitors[0].fleet_async(slow=2)).slow] == pytest.approx([9.1, 9.0])
    few = PerformanceMonitor(clock=clock, max_slow=2, store=MemoryStore(clock=clock))
    for seconds in (4.0, 2.0, 3.0, 1.0, 1.2):
        few.record("GET /x", seconds)
    assert [call.seconds for call in few.fleet().slow] == [4.0, 3.0]
    assert [call.seconds for call in few.slow_requests()] == [1.2, 3.0, 2.0, 4.0]


def test_names_can_be_kept_out_of_the_chart(clock: ManualClock) -> None:
    """Excluded names are counted by name but not by minute; minutes start at whole minutes of the clock."""
    (monitor,), _ = fleet(clock, 1)
    for name in ("GET /x", "GET /x", "database"):
        monitor.record(name, 0.1)
    report = asyncio.run(monitor.fleet_async(1, charted=lambda name: name != "database"))
    assert [(minute.at, minute.figures.count) for minute in report.minutes] == [(int(clock.wall() // 60) * 60, 2)]
    assert {name: figures.count for name, figures in report.names.items()} == {"GET /x": 2, "database": 1}
    assert {figures.name for figures in report.names.values()} == {"GET /x", "database"}


def test_measuring_changes_nothing(clock: ManualClock) -> None:
    """Arguments, result and name are unchanged, and the time in between is counted."""
    monitor = PerformanceMonitor(clock=clock)
    moments = iter([10.0, 10.5, 20.0, 22.0, 30.0, 30.25])

    @monitor_performance("plain", monitor=monitor, timer=lambda: next(moments))
    def plain(*args: int, **named: int) -> Any:
        """Plain."""
        return args, named

    @monitor_performance("later", monitor=monitor, timer=lambda: next(moments))
    async def later(*args: int, **named: int) -> Any:
        """Async."""
        return args, named

    @monitor_performance("broken", monitor=monitor, timer=lambda: next(moments))
    def broken() -> None:
        raise ConnectionError

    assert plain(1, b=2) == ((1,), {"b": 2})
    assert asyncio.run(later(1, b=2)) == ((1,), {"b": 2})
    with pytest.raises(ConnectionError):
        broken()
    assert (plain.__name__, plain.__doc__, later.__name__) == ("plain", "Plain.", "later")
    found = monitor.get_metrics()
    assert [found[name].max for name in ("plain", "later", "broken")] == [0.5, 2.0, 0.25]
    assert [found[name].errors for name in ("plain", "later", "broken")] == [0, 0, 1]
