"""What keeps a circuit open although the dependency is well: probes that learn nothing, memory that is too old."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

import resilience
from resilience import CircuitBreaker, CircuitOpenError, MemoryStore, Store
from resilience.testing import ManualClock
from tests.integration.resilience.helpers import FaultyStore

LEASE = 10.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shared(clock: ManualClock) -> Store:
    return MemoryStore(clock=clock)


def environment(shared: Store, clock: ManualClock) -> CircuitBreaker:
    """Another environment's circuit, with a view of the store of its own."""
    return CircuitBreaker(
        "dependency",
        store=FaultyStore(shared),
        clock=clock,
        failure_threshold=1,
        recovery_timeout=5,
        max_recovery_timeout=10,
        lease_seconds=LEASE,
        jitter=0,
    )


def call(breaker: CircuitBreaker, *, bad: bool = False) -> bool:
    """Make one call; False when the circuit refused it."""
    try:
        with breaker.guard():
            if bad:
                raise OSError("down")
    except CircuitOpenError:
        return False
    except OSError:
        pass
    return True


async def cancelled() -> None:
    """What is left of a call that its caller gave up."""
    raise asyncio.CancelledError


@pytest.mark.parametrize("seed", range(10))
def test_checks_that_give_up_do_not_keep_others_from_probing(seed: int, shared: Store, clock: ManualClock) -> None:
    """A readiness check that waits less long than the dependency takes is soon followed by somebody who waits."""
    dice = random.Random(seed)
    check, user = environment(shared, clock), environment(shared, clock)
    call(user, bad=True)
    clock.advance(5)
    for _ in range(120):
        with pytest.raises((asyncio.CancelledError, CircuitOpenError)):
            asyncio.run(check.call_async(cancelled))
        if dice.random() < 0.5 and call(user):
            break
        clock.advance(1)
    assert user.get_state() == "closed"
    clock.advance(5)
    assert check.get_state() == "closed"


def test_a_survivor_that_sleeps_between_calls_probes_when_the_lease_is_over(shared: Store, clock: ManualClock) -> None:
    """Lambda stops an environment's steady clock between its calls; the prober has died meanwhile."""
    prober, survivor = environment(shared, clock), environment(shared, clock)
    call(prober, bad=True)
    call(survivor)
    clock.advance(5)
    prober.enter(clock.wall())
    clock.freeze(60)
    assert not call(survivor)  # hears of the lease
    clock.freeze(60)
    assert call(survivor)
    assert survivor.get_state() == "closed"


def test_a_table_that_began_anew_is_believed(shared: Store, clock: ManualClock) -> None:
    """Whoever remembers higher versions than stand in the table takes over what stands there."""
    one, other = environment(shared, clock), environment(shared, clock)
    for _ in range(4):
        call(one, bad=True)
        call(other)
        clock.advance(10)
        assert call(one)
        clock.advance(5)
        assert call(other)
    known = other.snapshot().version
    shared.delete("control", "circuit#dependency")
    call(one, bad=True)
    call(other, bad=True)
    assert one.snapshot().version == other.snapshot().version < known
    clock.advance(10)
    assert call(one)
    clock.advance(5)
    assert call(other)
    one.force_open()
    clock.advance(5)
    assert not call(other)
    one.reset()
    clock.advance(5)
    assert call(other)


def test_an_order_outlives_a_quiet_month(shared: Store, clock: ManualClock) -> None:
    """Opened by hand until it is reset means just that, for environments that start much later as well."""
    environment(shared, clock).force_open()
    clock.advance(40 * 86_400)
    assert not call(environment(shared, clock))


@pytest.fixture
def default(shared: Store) -> Iterator[Store]:
    resilience.configure(store=shared)
    yield shared
    resilience.configure()


def test_a_restored_copy_knows_nothing_of_the_past(default: Store, clock: ManualClock) -> None:
    """A snapshot taken while a circuit was open by hand must not bring that back a month later."""
    other = environment(default, clock)
    copied = CircuitBreaker("dependency", clock=clock)
    other.force_open()
    assert copied.get_state() == "open"
    other.reset()
    default.delete("control", "circuit#dependency")
    clock.advance(31 * 86_400)
    resilience.on_restore()
    assert call(copied)
    assert copied.get_state() == "closed"
    other.rebind()
    other.force_open()
    clock.advance(5)
    assert not call(copied)
