"""How figures of many environments are merged, and from when."""

from __future__ import annotations

import asyncio

import pytest

from resilience import MemoryStore, PerformanceMonitor
from resilience.testing import ManualClock


def environments(clock: ManualClock, size: int = 2) -> list[PerformanceMonitor]:
    store = MemoryStore(clock=clock)
    return [PerformanceMonitor(store=store, clock=clock) for _ in range(size)]


def test_errors_and_slow_calls_add_up(clock: ManualClock) -> None:
    """They add up over environments, minutes and names: in a name's figures, and in a minute's."""
    here, there = environments(clock)
    for _ in range(2):
        for monitor, errors in ((here, 1), (there, 2)):
            for name in ("GET /x", "GET /y"):
                for number in range(4):
                    monitor.record(name, 2.0 if number == 0 else 0.1, error=number < errors)
            monitor.flush()
        clock.advance(60)
    report = here.fleet()
    assert [(f.count, f.errors, f.slow) for f in report.names.values()] == [(16, 6, 4)] * 2
    assert [(m.figures.count, m.figures.errors, m.figures.slow) for m in report.minutes] == [(16, 6, 4)] * 2


def test_every_figure_is_of_all_calls(clock: ManualClock) -> None:
    """Mean, percentiles and maximum are within 1 %."""
    here, there = environments(clock)
    for n in range(1, 101):
        (here if n % 2 else there).record("GET /x", n / 100)
    there.flush()
    figures = here.fleet().names["GET /x"]
    found = (figures.mean, figures.p50, figures.p95, figures.p99, figures.max)
    assert found == pytest.approx((0.505, 0.5, 0.95, 0.99, 1.0), rel=0.011)
    assert figures.name == "GET /x"


def test_a_window_reaches_as_far_back_as_was_asked(clock: ManualClock) -> None:
    """A window is exact to the minute in written and own figures, however they are grouped."""
    here, there = environments(clock)
    for _ in range(30):
        here.record("GET /x", 0.1)
        there.record("GET /x", 0.1)
        for monitor in (here, there):
            monitor.flush()
        clock.advance(60)
    for minutes in (1, 2, 9, 10, 11, 15, 16, 20, 29):
        report = asyncio.run(here.fleet_async(minutes))
        assert [m.figures.count for m in report.minutes] == [2] * (minutes - 1), minutes  # nothing in the last one yet
    assert len(here.fleet().minutes) == 14


def test_the_slowest_calls_are_kept(clock: ManualClock) -> None:
    """When a list is full, the fastest of the slow calls is dropped, whatever its name."""
    here, there = environments(clock)
    for number, name in enumerate(("GET /z", "GET /a", "GET /m")):
        for n in range(40):
            there.record(name, 1.5 + number + n / 100)
    there.flush()
    kept = here.fleet(slow=100).slow
    assert {call.name for call in kept} == {"GET /m"}
    assert sorted(call.seconds for call in kept) == pytest.approx([3.5 + n / 100 for n in range(20, 40)])
