"""After idle time an environment learns of orders before its first call."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

import resilience
from resilience import CircuitBreaker, CircuitOpenError, CircuitState, DynamoStore, MemoryStore
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def others(table: str) -> Iterator[DynamoStore]:
    """The store that the rest of the fleet writes to; this environment has its own view of it."""
    resilience.configure(store=DynamoStore(table))
    yield DynamoStore(table)
    resilience.configure()


async def _fine() -> str:
    return "fine"


def test_an_idle_environment_follows_an_order_with_its_first_call(others: DynamoStore, clock: ManualClock) -> None:
    """Reading the shared record starts with the invocation, and ends before the first protected call."""
    breaker = CircuitBreaker("dependency", clock=clock)

    async def scenario() -> str:
        assert await breaker.call_async(_fine) == "fine"
        clock.freeze(3600)  # an hour without a request
        assert await CircuitBreaker("dependency", store=others, clock=clock).command_async(CircuitState.OPEN)
        resilience.begin(clock=clock)
        resilience.flush()  # as long as the rate limiter's call takes
        return await breaker.call_async(_fine)

    with pytest.raises(CircuitOpenError):
        asyncio.run(scenario())


def test_beginning_asks_no_more_often(clock: ManualClock) -> None:
    """However many invocations start, the store is read once in five seconds."""
    store = FaultyStore(MemoryStore())
    resilience.configure(store=store)
    for _ in range(10):
        resilience.begin(clock=clock)
        clock.advance(1)
    assert store.reads == 2
    resilience.configure()
