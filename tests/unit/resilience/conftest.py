"""Every test begins with an empty store and nobody listening."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import resilience
from resilience.testing import ManualClock


@pytest.fixture(autouse=True)
def own_store() -> Iterator[None]:
    resilience.configure(store=resilience.MemoryStore())
    yield
    resilience.configure()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def events() -> Iterator[list[resilience.events.Event]]:
    seen: list[resilience.events.Event] = []
    stop = resilience.events.subscribe(seen.append)
    yield seen
    stop()
