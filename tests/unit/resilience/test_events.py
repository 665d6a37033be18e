"""Subscribers to events, and the cost without any."""

from __future__ import annotations

import pytest

from resilience import (
    current_degradation,
    events,
)
from resilience.testing import ManualClock
from tests.unit.resilience.caching import Kit


def test_a_subscriber_that_raises_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """The other subscribers get the event, and the log names the failed one."""
    seen: list[events.Event] = []

    def broken(_: events.Event) -> None:
        raise ZeroDivisionError

    stops = [events.subscribe(broken), events.subscribe(seen.append)]
    try:
        events.emit(events.CACHE_HIT, "key", level="local")
    finally:
        for stop in stops:
            stop()
    assert [(event.kind, event.name) for event in seen] == [(events.CACHE_HIT, "key")]
    assert any(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)
    events.emit(events.CACHE_HIT, "key")
    assert len(seen) == 1


def test_nobody_listens_and_nothing_happens(clock: ManualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without subscribers an event costs one check of an empty list, and for a hit it is not even created."""
    monkeypatch.setattr(events, "_subscribers", [])
    events.emit(events.CACHE_HIT, "key")
    assert not events.wanted(events.CACHE_HIT)
    call = Kit("plain", clock)
    assert call("a") == call("a")
    assert current_degradation() is None
