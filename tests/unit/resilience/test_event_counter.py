"""EventCounter across environments, and reported figures that are written with the monitor's."""

from __future__ import annotations

import asyncio

from resilience import EventCounter, MemoryStore, PerformanceMonitor, flush
from resilience.events import Event
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


def make(store: object, clock: ManualClock, **settings: int) -> EventCounter:
    return EventCounter("errors", store=store, clock=clock, **settings)  # type: ignore[arg-type]


def test_all_environments_count_together(clock: ManualClock) -> None:
    """Counts add up, the first and last time are the fleet's, and the newest details are kept."""
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
    """Keys over the limit are counted together, long texts are cut, and old hours are dropped."""
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
    """A clear removes earlier counts everywhere, written or not."""
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


def test_without_the_store_own_events_are_shown_and_written_later(clock: ManualClock) -> None:
    """An outage loses no count that this environment still has in memory."""
    view = FaultyStore(MemoryStore(clock=clock))
    errors = make(view, clock)
    errors.note("a")
    view.down = True
    assert not errors.flush()
    found, complete = errors.fleet()
    assert (len(found), complete) == (1, False)
    view.down = False
    assert errors.flush()
    assert len(view.inner.query(f"events#errors#{int(errors._id, 16) % 4}")) == 1


def test_an_outage_over_the_turn_of_the_hour_loses_nothing(clock: ManualClock) -> None:
    """When the first of several hours cannot be written, the others are not lost either."""
    view = FaultyStore(MemoryStore(clock=clock))
    errors = make(view, clock)
    for _ in range(3):
        errors.note("a")
        clock.advance(3_600)
    view.down = True
    assert not errors.flush()
    view.down = False
    assert errors.flush()
    assert errors.flush()
    found, _ = make(FaultyStore(view.inner), clock).fleet()
    assert [(each.key, each.count) for each in found] == [("a", 3)]
    assert view.writes == 3


def test_the_newest_details_win_in_whatever_order_they_are_read(clock: ManualClock) -> None:
    """A key has its newest details; equal counts list the latest first; items in the store expire."""
    store = MemoryStore(clock=clock)
    environments = [make(FaultyStore(store), clock) for _ in range(4)]
    for number, errors in enumerate(environments):
        errors.note("a", where=str(number))
        errors.note(f"own {number}")
        clock.advance(60)
        errors.flush()
    for errors in (*environments, *reversed(environments)):
        found, _ = errors.fleet()
        assert (found[0].key, found[0].count, found[0].details) == ("a", 4, {"where": "3"})
        assert [each.key for each in found[1:]] == ["own 3", "own 2", "own 1", "own 0"]
    hour = int(clock.wall() // 3_600)
    kept = {item.ttl for shard in range(4) for item in store.query(f"events#errors#{shard}")}
    assert kept <= {(hour + 24) * 3_600, (hour + 23) * 3_600}


def test_a_failed_store_is_told_by_what_was_tried(clock: ManualClock, events: list[Event]) -> None:
    """Events have the list, the operation and the store's error; a clear that was not stored says so."""
    view = FaultyStore(MemoryStore(clock=clock))
    errors = make(view, clock)
    errors.note("a")
    view.down = True
    assert not errors.flush()
    errors.fleet()
    assert not asyncio.run(errors.clear_async())
    assert errors.own() == ()
    told = [(event.name, event.details["operation"], event.details["error"]) for event in events if event.name]
    assert [each for each in told if each[0] == "errors"] == [
        ("errors", operation, "down") for operation in ("flush", "query", "clear")
    ]


def test_writes_wait_for_their_turn(clock: ManualClock) -> None:
    """There is one write in ten seconds at most, none without changes, all at shutdown, even after a clock step."""
    view = FaultyStore(MemoryStore(clock=clock))
    errors = make(view, clock)

    def writes_of_a_flush(*, final: bool = False) -> int:
        before = view.writes
        flush(final=final)
        return view.writes - before

    errors.note("a")
    assert writes_of_a_flush() == 1
    clock.advance(20)
    assert writes_of_a_flush() == 0
    errors.note("a")
    assert writes_of_a_flush() == 1
    errors.note("a")
    clock.advance(9.9)
    assert writes_of_a_flush() == 0
    clock.advance(0.1)
    assert writes_of_a_flush() == 1
    errors.note("a")
    assert writes_of_a_flush(final=True) == 1
    errors.note("a")
    clock.step(-100)
    assert writes_of_a_flush() == 1


def test_a_restored_copy_is_an_environment_of_its_own(clock: ManualClock) -> None:
    """Restored copies of one snapshot neither overwrite each other nor count what the original counts."""
    store = MemoryStore(clock=clock)
    errors = make(FaultyStore(store), clock)
    errors.note("before")
    errors.flush()
    errors.renew()
    assert errors.own() == ()
    errors.note("after")
    errors.flush()
    found, _ = make(FaultyStore(store), clock).fleet()
    assert {each.key for each in found} == {"before", "after"}


def test_reported_figures_travel_with_the_measurements(clock: ManualClock) -> None:
    """Every environment's latest figures are listed, and its own even before they are written."""
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
