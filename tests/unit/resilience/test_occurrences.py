"""Occurrences of many environments, and figures that travel along with the monitor's."""

from __future__ import annotations

import asyncio

from resilience import MemoryStore, Occurrences, PerformanceMonitor
from resilience.testing import ManualClock
from tests.integration.resilience.helpers import FaultyStore


def make(store: object, clock: ManualClock, **settings: int) -> Occurrences:
    return Occurrences("errors", store=store, clock=clock, **settings)  # type: ignore[arg-type]


def test_all_environments_count_together(clock: ManualClock) -> None:
    """Counts add up, the first and the last time are the fleet's, the details the newest."""
    store = MemoryStore(clock=clock)
    one, two = make(FaultyStore(store), clock), make(FaultyStore(store), clock)
    one.note("a", where="old")
    clock.advance(60)
    two.note("a", where="new")
    two.note("b")
    assert one.flush()
    assert two.flush()
    found, complete = asyncio.run(make(FaultyStore(store), clock).fleet_async())
    assert complete
    assert [(each.key, each.count) for each in found] == [("a", 2), ("b", 1)]
    assert (found[0].last - found[0].first, found[0].details) == (60, {"where": "new"})


def test_what_is_kept_is_bounded(clock: ManualClock) -> None:
    """Keys over the bound are counted together, long texts are cut, and hours are forgotten."""
    errors = make(MemoryStore(clock=clock), clock, max_keys=2, keep_hours=1)
    for number in range(5):
        errors.note(f"key {number}", text="x" * 1_000)
    found = {each.key: each for each in errors.own()}
    assert {key: each.count for key, each in found.items()} == {"key 0": 1, "key 1": 1, "(other)": 3}
    assert len(found["key 0"].details["text"]) == 200
    clock.advance(3_600)
    errors.note("later")
    assert [each.key for each in errors.own()] == ["later"]


def test_clearing_reaches_every_environment(clock: ManualClock) -> None:
    """What was counted before is gone everywhere, written or not."""
    store = MemoryStore(clock=clock)
    one, two = make(FaultyStore(store), clock), make(FaultyStore(store), clock)
    two.note("a")
    two.flush()
    two.note("a")
    one.clear()
    clock.advance(6)
    assert two.own() == ()
    assert one.fleet() == ((), True)
    two.note("b")
    two.flush()
    assert [each.key for each in one.fleet()[0]] == ["b"]


def test_without_the_store_own_occurrences_are_shown_and_written_later(clock: ManualClock) -> None:
    """An outage loses nothing that this environment still remembers."""
    view = FaultyStore(MemoryStore(clock=clock))
    errors = make(view, clock)
    errors.note("a")
    view.down = True
    assert not errors.flush()
    found, complete = errors.fleet()
    assert (len(found), complete) == (1, False)
    view.down = False
    assert errors.flush()
    assert len(view.inner.query(f"occurrences#errors#{int(errors._id, 16) % 4}")) == 1


def test_reported_figures_travel_with_the_measurements(clock: ManualClock) -> None:
    """Each environment's latest figures are there, its own without being written."""
    store = MemoryStore(clock=clock)
    monitors = [PerformanceMonitor(store=FaultyStore(store), clock=clock) for _ in range(2)]
    active = {"active": 1.0}
    for monitor in monitors:
        monitor.report("pool", lambda: active)
        monitor.record("call", 0.1)
    monitors[1].flush()
    active["active"] = 2.0
    report = monitors[0].fleet()
    assert sorted(figures["active"] for figures in report.reports["pool"]) == [1.0, 2.0]
    assert report.environments == 2
