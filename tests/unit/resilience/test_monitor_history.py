"""Figures of a whole day: what is kept, from when, and that number and size are bounded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resilience import ConfigurationError, MemoryStore, PerformanceMonitor, StoreError
from resilience.metrics.written import PARTITION
from resilience.testing import ManualClock

START = 1_800_000_000  # a whole hour


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def store(clock: ManualClock) -> MemoryStore:
    return MemoryStore(clock=clock)


def hour(clock: ManualClock, store: MemoryStore, *monitors: PerformanceMonitor, hours: int = 1) -> None:
    """Let each monitor count one call per minute, and the first roll up every ten minutes."""
    for minute in range(60 * hours):
        if minute % 10 == 0:
            monitors[0].roll_up()
        for monitor in monitors:
            monitor.record("GET /x", 0.1)
            monitor.flush()
        clock.advance(60)


def test_a_day_is_told_by_ten_minutes(clock: ManualClock, store: MemoryStore) -> None:
    """Every call of the day is counted once, however long ago its own minute was deleted."""
    here, there = (PerformanceMonitor(store=store, clock=clock) for _ in range(2))
    hour(clock, store, here, there, hours=24)
    report = here.fleet(24 * 60)
    assert report.step_minutes == 10
    assert {minute.figures.count for minute in report.minutes} == {20}
    assert [minute.at for minute in report.minutes] == list(range(START, int(clock.wall()), 600))
    assert report.names["GET /x"].count == 2 * 24 * 60
    assert len(here.fleet(180).minutes) == 18
    assert (here.fleet(60).step_minutes, len(here.fleet(60).minutes)) == (1, 59)


def test_what_a_day_takes_does_not_grow_with_the_fleet(clock: ManualClock, store: MemoryStore) -> None:
    """One item is stored per ten minutes for any number of environments, and none for idle times."""
    monitors = [PerformanceMonitor(store=store, clock=clock) for _ in range(20)]
    hour(clock, store, *monitors)
    clock.advance(3_600)
    monitors[0].roll_up()
    assert len(store.query(PARTITION, sk_prefix="rolled#")) == 6


def test_what_came_late_is_counted_with_the_next_hour(clock: ManualClock, store: MemoryStore) -> None:
    """An environment with few calls writes when it is called again, and no call is counted twice."""
    here, late = (PerformanceMonitor(store=store, clock=clock) for _ in range(2))
    late.record("GET /late", 0.1)
    hour(clock, store, here)
    assert "GET /late" not in here.fleet(180).names
    late.flush()
    for _ in range(6):
        here.roll_up()
        clock.advance(600)
    here.roll_up()
    assert here.fleet(180).names["GET /late"].count == 1
    assert here.fleet(180).names["GET /x"].count == 60


def test_the_slowest_calls_of_a_day_are_kept_with_what_was_said_of_them(clock: ManualClock, store: MemoryStore) -> None:
    """Slow calls keep their request id, even from environments that ended long ago."""
    gone, here = (PerformanceMonitor(store=store, clock=clock, max_slow=2) for _ in range(2))
    for n in range(5):
        gone.record("GET /x", 2.0 + n, detail=f"request-{n}")
    gone.flush()
    hour(clock, store, here, hours=5)
    assert [(call.seconds, call.detail) for call in here.fleet(24 * 60).slow] == [
        (6.0, "request-4"),
        (5.0, "request-3"),
    ]
    assert here.fleet(60).slow == ()


def test_many_names_are_put_together(clock: ManualClock, store: MemoryStore) -> None:
    """In the fleet as in an environment, the names with most calls are kept separately."""
    monitors = [PerformanceMonitor(store=store, clock=clock, max_names=3) for _ in range(2)]
    for n, monitor in enumerate(monitors):
        for m in range(3):
            for _ in range(10 * n + m + 1):
                monitor.record(f"GET /{n}{m}", 0.1)
        monitor.flush()
    clock.advance(600)
    monitors[0].roll_up()
    clock.advance(3_600)
    found = monitors[0].fleet(180).names
    assert {name: figures.count for name, figures in found.items()} == {
        "GET /12": 13,
        "GET /11": 12,
        "GET /10": 11,
        "(other)": 6,
    }


def test_a_reset_reaches_what_was_rolled_up(clock: ManualClock, store: MemoryStore) -> None:
    """Nothing from before the reset is shown, and none of it is rolled up later."""
    here = PerformanceMonitor(store=store, clock=clock)
    hour(clock, store, here)
    here.reset()
    assert here.fleet(180).names == {}
    clock.advance(3_600 - clock.wall() % 3_600)
    assert here.roll_up() == 0
    assert here.fleet(180).names == {}


def test_versions_are_told_with_when_they_were_first_seen(clock: ManualClock, store: MemoryStore) -> None:
    """Versions are listed by minute while minutes are kept, and unchanged afterwards."""
    old, new = (PerformanceMonitor(store=store, clock=clock) for _ in range(2))
    old.describe(function="users", version="7")
    new.describe(function="users", version="8")
    hour(clock, store, old)
    began = int(clock.wall())
    hour(clock, store, new, old)
    expected = [({"function": "users", "version": "7"}, START), ({"function": "users", "version": "8"}, began)]
    assert list(new.fleet(180).seen) == expected
    hour(clock, store, new, hours=3)
    assert list(new.fleet(600).seen) == expected


def test_environments_are_told_one_by_one(clock: ManualClock, store: MemoryStore) -> None:
    """Each is listed with what it reported, its last activity and its own figures; the busiest is first."""
    here, there = (PerformanceMonitor(store=store, clock=clock) for _ in range(2))
    here.describe(version="1")
    there.report("pool", lambda: {"active": 3.0})
    for _ in range(3):
        there.record("GET /x", 0.5, error=True)
    there.record("database", 0.2)
    there.flush()
    clock.advance(60)
    here.record("GET /x", 0.1)
    found, complete = asyncio.run(here.environments_async(charted=lambda name: name != "database"))
    assert complete
    assert [(each.figures.count, each.figures.errors, each.last_seen) for each in found] == [
        (3, 3, START),
        (1, 0, START + 60),
    ]
    assert [(dict(each.about), each.reports) for each in found] == [
        ({}, {"pool": {"active": 3.0}}),
        ({"version": "1"}, {}),
    ]
    assert len({each.id for each in found}) == 2


class _Down(MemoryStore):
    def query(self, pk: str, **options: Any) -> Any:
        raise StoreError("down")


def test_without_the_store_only_this_one_is_known(clock: ManualClock) -> None:
    """A report says that it is incomplete, and a rollup fails so that the schedule is retried."""
    alone = PerformanceMonitor(store=_Down(clock=clock), clock=clock)
    alone.record("GET /x", 0.1)
    for minutes in (15, 180):
        assert (alone.fleet(minutes).complete, alone.fleet(minutes).names["GET /x"].count) == (False, 1)
    found, complete = alone.environments()
    assert (len(found), complete) == (1, False)
    with pytest.raises(StoreError):
        alone.roll_up()


@pytest.mark.parametrize("minutes", [0, -1, 1441, 1.5])
def test_a_window_is_a_day_at_most(clock: ManualClock, store: MemoryStore, minutes: Any) -> None:
    """A window is a whole number of minutes; for single environments it is an hour at most."""
    monitor = PerformanceMonitor(store=store, clock=clock)
    with pytest.raises(ConfigurationError):
        monitor.fleet(minutes)
    with pytest.raises(ConfigurationError):
        monitor.environments(61)


@pytest.mark.parametrize(("seconds", "error"), [(1.5, False), (0.1, True)], ids=["slow", "failed"])
def test_bad_news_does_not_wait_for_good(clock: ManualClock, store: MemoryStore, seconds: float, error: bool) -> None:
    """A slow or failed call is written immediately, and the next ones ten seconds later."""
    here, there = (PerformanceMonitor(store=store, clock=clock) for _ in range(2))

    def seen() -> int:
        found = there.fleet().names.get("GET /x")
        return found.count if found else 0

    here.record("GET /x", 0.1)
    assert seen() == 0
    here.record("GET /x", seconds, error=error)
    assert seen() == 2
    here.record("GET /x", seconds, error=error)
    clock.advance(9)
    here.record("GET /x", 0.1)
    assert seen() == 2
    clock.advance(1)
    here.record("GET /x", 0.1)
    assert seen() == 5
    clock.advance(11)
    here.record("GET /x", 0.1)
    assert seen() == 5
