"""Items of another shape or a later version hide no other item."""

from __future__ import annotations

import json
import zlib
from typing import Any

import pytest

from resilience import EventCounter, MemoryStore, PerformanceMonitor
from resilience.events import STORE_ERROR, Event
from resilience.store import Value
from resilience.testing import ManualClock


def packed(data: object) -> bytes:
    return zlib.compress(json.dumps(data).encode())


POISON: list[dict[str, Value]] = [
    {},
    {"data": "text"},
    {"data": b"not compressed"},
    {"data": zlib.compress(b"no JSON")},
    {"data": packed([1, 2])},
    {"data": packed({"names": {"x": {}}, "slow": []})},
    {"data": packed({"names": {}, "slow": [["x", "long ago", 0, True]]})},
    {"data": packed({"names": {}, "slow": [], "reports": {"pool": {"active": []}}})},
    {"data": packed([["key", "many", 0, 0, {}]])},
    {"data": packed([["key", 1]])},
]


@pytest.mark.parametrize("attributes", POISON, ids=range(len(POISON)))
@pytest.mark.parametrize("sk", ["{tens}#{minute}#0#other", "{tens}#what", "{tens}#{minute}#0#other#more"])
def test_the_monitor_skips_what_it_cannot_read(sk: str, attributes: dict[str, Any], clock: ManualClock) -> None:
    """The other environments' figures are shown."""
    store = MemoryStore(clock=clock)
    here, there = (PerformanceMonitor(store=store, clock=clock) for _ in range(2))
    there.record("GET /x", 0.1)
    there.flush()
    minute = int(clock.wall() // 60)
    store.put("metrics", sk.format(tens=minute // 10, minute=minute), attributes)
    report = here.fleet()
    assert report.complete
    assert report.names["GET /x"].count == 1


@pytest.mark.parametrize("attributes", POISON, ids=range(len(POISON)))
@pytest.mark.parametrize("sk", ["0#0#other", "what", "0#x#other"])
def test_event_counters_skip_what_they_cannot_read(sk: str, attributes: dict[str, Any], clock: ManualClock) -> None:
    """The other environments' errors are shown."""
    store = MemoryStore(clock=clock)
    here, there = (EventCounter("errors", store=store, clock=clock) for _ in range(2))
    there.note("ValueError")
    there.flush()
    store.put("events#errors#0", sk, attributes)
    found, complete = here.fleet()
    assert complete
    assert [each.key for each in found if each.key == "ValueError"] == ["ValueError"]


def test_an_event_tells_of_what_was_skipped(clock: ManualClock, events: list[Event]) -> None:
    """The event has the item's key, so that an operator can find it."""
    store = MemoryStore(clock=clock)
    store.put("events#errors#0", "0#0#other", {"data": b"not compressed"})
    assert EventCounter("errors", store=store, clock=clock).fleet() == ((), True)
    (told,) = [event for event in events if event.kind == STORE_ERROR]
    assert (told.details["operation"], told.details["key"]) == ("read", "events#errors#0 0#0#other")
