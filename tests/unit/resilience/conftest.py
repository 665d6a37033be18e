"""Every test starts with an empty store and no subscribers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import resilience
from resilience.testing import ManualClock
from tests.unit.resilience.caching import Kit
from tests.unit.resilience.dependency import Runner


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


@pytest.fixture(params=["plain", "async"])
def runner(request: pytest.FixtureRequest, clock: ManualClock) -> Runner:
    """A dependency, called as a sync and as an async function."""
    return Runner(request.param, clock)


@pytest.fixture(params=["plain", "async"])
def kit(request: pytest.FixtureRequest, clock: ManualClock) -> Callable[..., Kit]:
    """Creates cached functions, sync and async."""
    return lambda **settings: Kit(request.param, clock, **settings)
