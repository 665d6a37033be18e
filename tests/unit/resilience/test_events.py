"""Subscribers to events, and what goes on when nobody is one."""

from __future__ import annotations

import pytest

from resilience import (
    current_degradation,
    events,
)
from resilience.testing import ManualClock
from tests.unit.resilience.caching import Kit


def test_a_subscriber_that_raises_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    """The others are told all the same, and the log says who failed."""
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
    """An event without a subscriber costs a look at an empty list, and is not even made for a hit."""
    monkeypatch.setattr(events, "_subscribers", [])
    events.emit(events.CACHE_HIT, "key")
    assert not events.wanted(events.CACHE_HIT)
    call = Kit("plain", clock)
    assert call("a") == call("a")
    assert current_degradation() is None
