"""A circuit's writes when they are overtaken, lost on the way back, or refused repeatedly."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitOpenError, CircuitState, MemoryStore
from resilience._shared_state import SharedState
from resilience.breaker.publisher import Outcome
from resilience.breaker.record import history_of
from resilience.store import Item
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from tests.unit.resilience.dependency import DownError


class Stubborn(FaultyStore):
    """A store whose conditional writes end differently than the writer expects."""

    outcome: Any = None

    def put_if(self, *arguments: Any, **options: Any) -> bool:
        if self.outcome is None:
            return super().put_if(*arguments, **options)
        if isinstance(self.outcome, BaseException):
            raise self.outcome
        if self.outcome == "done and told otherwise":
            super().put_if(*arguments, **options)
        return False


@pytest.fixture
def store(clock: ManualClock) -> Stubborn:
    return Stubborn(MemoryStore(clock=clock))


@pytest.fixture
def breaker(store: Stubborn, clock: ManualClock) -> CircuitBreaker:
    return CircuitBreaker("dependency", store=store, clock=clock, failure_threshold=1, recovery_timeout=5, jitter=0)


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(DownError), breaker.guard():
        raise DownError


def test_news_that_are_old_are_not_shared(breaker: CircuitBreaker, store: Stubborn, clock: ManualClock) -> None:
    """A transition is not shared when a reset came between decision and write."""
    permit = breaker.enter(clock.wall())
    record = breaker.on_error(permit, DownError(), 0.0)
    assert record is not None
    breaker.reset()
    writes = store.writes
    assert breaker._bound()[1].publish(record) is Outcome.LOST
    assert store.writes == writes


def test_ones_own_write_is_recognised(breaker: CircuitBreaker, store: Stubborn, clock: ManualClock) -> None:
    """A write whose answer was lost conflicts with itself when resent, and counts as done."""
    fail(breaker)
    clock.advance(5)
    store.outcome = "done and told otherwise"
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"


def test_an_order_that_never_gets_through_is_given_up(breaker: CircuitBreaker, store: Stubborn) -> None:
    """An order is tried three times, and then its caller is told."""
    store.outcome = "refused"
    assert asyncio.run(breaker.command_async(CircuitState.OPEN)) is False
    assert breaker.get_state() == "open"  # here immediately


def test_an_election_that_is_broken_off_leaves_the_way_free(
    breaker: CircuitBreaker, store: Stubborn, clock: ManualClock
) -> None:
    """After an election was interrupted, the next call can start another."""
    fail(breaker)
    clock.advance(5)
    store.outcome = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt), breaker.guard():
        pytest.fail("it was not elected")
    store.outcome = None
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"


def test_who_is_always_overtaken_is_refused(breaker: CircuitBreaker, store: Stubborn, clock: ManualClock) -> None:
    """When other environments win every election and reopen the circuit each time, the caller is refused."""
    fail(breaker)
    clock.advance(5)
    store.outcome = "refused"
    version = iter(range(10, 100))

    def overtaken(pk: str, sk: str) -> Item:
        attributes = {"state": "open", "writer": f"other-{next(version)}", "retry_at": clock.wall() - 1}
        return Item(pk, sk, attributes, next(version))

    store.get = overtaken  # type: ignore[method-assign]
    with pytest.raises(CircuitOpenError), breaker.guard():
        pytest.fail("it was not elected")

    async def call() -> None:
        async with breaker.guard_async():
            pytest.fail("it was not elected")

    with pytest.raises(CircuitOpenError):
        asyncio.run(call())


def test_a_reset_during_an_election_wins(breaker: CircuitBreaker, clock: ManualClock) -> None:
    """A change of the circuit during the election takes precedence over the lease."""
    fail(breaker)
    known, record, _ = breaker.circuit.candidate()
    breaker.reset()
    assert breaker.circuit.elected(known, record, clock.wall(), clock.steady()) is None
    assert breaker.get_state() == "closed"


def test_a_probe_of_the_past_gives_no_place_back(breaker: CircuitBreaker, clock: ManualClock) -> None:
    """A probe cancelled after its circuit was reset and reopened returns no slot of the new state."""
    fail(breaker)
    clock.advance(5)
    late = breaker.enter(clock.wall())
    breaker.reset()
    fail(breaker)
    clock.advance(5)
    now = breaker.enter(clock.wall())
    breaker.on_error(late, asyncio.CancelledError(), 0.0)
    with pytest.raises(CircuitOpenError):
        breaker.enter(clock.wall())
    breaker.share(breaker.on_result(now, None, 0.0))
    assert breaker.get_state() == "closed"


def test_a_history_that_cannot_be_read_is_left_out() -> None:
    """Another version of the package may write the history differently."""
    item = Item("control", "circuit#x", {"history": "soon open failures;12 ajar;34 open failures"})
    assert [(change.at, change.state) for change in history_of(item)] == [(34, "open")]


def test_of_many_who_ask_at_once_one_reads(clock: ManualClock) -> None:
    """While one caller reads the snapshot, the others use the known state."""
    shared_state = SharedState(MemoryStore(clock=clock), 5.0)
    assert shared_state._claim(clock)
    assert not shared_state._claim(clock)


def test_the_history_of_an_outage_survives_its_probes(clock: ManualClock) -> None:
    """After any number of failed probes it has the opening time, the last probes, and the previous outage."""
    breaker = CircuitBreaker("long", failure_threshold=1, recovery_timeout=1, max_recovery_timeout=1, clock=clock)
    began = []
    for _ in range(2):
        began.append(int(clock.wall()))
        for _ in range(50):
            fail(breaker)
            clock.advance(2)
        assert breaker.call(lambda: 1) == 1
        clock.advance(10)
    item = breaker._bound()[0].items["circuit#long"]
    history = history_of(item)
    opened = [change.at for change in history if change.state == "open" and change.reason == "failures"]
    assert opened == began
    assert len(history) <= 20
    assert [change.state for change in history[-4:]] == ["half_open", "open", "half_open", "closed"]
