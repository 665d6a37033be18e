"""Every test begins with an empty store and nobody listening."""

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
    """Something to protect, called as a plain function and as an async one."""
    return Runner(request.param, clock)


@pytest.fixture(params=["plain", "async"])
def kit(request: pytest.FixtureRequest, clock: ManualClock) -> Callable[..., Kit]:
    """Makes cached functions, plain and async."""
    return lambda **settings: Kit(request.param, clock, **settings)
