"""What could keep a circuit open though the dependency is fine: probes without a result, and stale memory."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from typing import Any

import pytest

import resilience
from resilience import CircuitBreaker, CircuitOpenError, MemoryStore, Store
from resilience.breaker.permit import ELECTION
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore

LEASE = 10.0


@pytest.fixture
def shared(clock: ManualClock) -> Store:
    return MemoryStore(clock=clock)


def environment(shared: Store, clock: ManualClock) -> CircuitBreaker:
    """Another environment's circuit, with its own view of the store."""
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
    """Raise what a caller that gave up leaves behind."""
    raise asyncio.CancelledError


@pytest.mark.parametrize("seed", range(10))
def test_checks_that_give_up_do_not_keep_others_from_probing(seed: int, shared: Store, clock: ManualClock) -> None:
    """After a readiness check whose timeout is shorter than the answer, a patient caller can probe soon."""
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
    """Lambda stops an environment's monotonic clock between calls, and the prober has died meanwhile."""
    prober, survivor = environment(shared, clock), environment(shared, clock)
    call(prober, bad=True)
    call(survivor)
    clock.advance(5)
    prober.enter(clock.wall())
    clock.freeze(60)
    assert not call(survivor)  # reads the lease
    clock.freeze(60)
    assert call(survivor)
    assert survivor.get_state() == "closed"


def test_a_table_that_began_anew_is_believed(shared: Store, clock: ManualClock) -> None:
    """An environment that remembers higher versions than the table has accepts the table's."""
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
    """A circuit that an operator opened stays open until it is reset, even for environments that start much later."""
    environment(shared, clock).force_open()
    clock.advance(40 * 86_400)
    assert not call(environment(shared, clock))


@pytest.fixture
def default(shared: Store) -> Iterator[Store]:
    resilience.configure(store=shared)
    yield shared
    resilience.configure()


def test_a_restored_copy_knows_nothing_of_the_past(default: Store, clock: ManualClock) -> None:
    """A snapshot taken while a circuit was forced open does not force it open again a month later."""
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


def half_open(clock: ManualClock, **settings: Any) -> CircuitBreaker:
    """A circuit that is due for a probe."""
    breaker = CircuitBreaker("probed", clock=clock, failure_threshold=1, recovery_timeout=5, jitter=0, **settings)
    call(breaker, bad=True)
    clock.advance(5)
    return breaker


def test_of_two_who_come_at_once_one_runs_for_prober(clock: ManualClock) -> None:
    """The second caller is refused while the election is under way, but not afterwards."""
    circuit = half_open(clock).circuit
    now = clock.wall()
    assert circuit.enter(now, (now, now + 5)) is ELECTION
    with pytest.raises(CircuitOpenError):
        circuit.enter(now, (now, now + 5))
    circuit.lost_election()
    assert circuit.enter(now, (now, now + 5)) is ELECTION


@pytest.mark.parametrize("passes", ["freeze", "steady"])
def test_ones_own_lease_ends_by_either_clock(passes: str, clock: ManualClock) -> None:
    """Whichever clock ends the lease, the next call probes under a new lease."""
    breaker = half_open(clock, lease_seconds=10)
    late = breaker.enter(clock.wall())
    if passes == "freeze":
        clock.freeze(10)
    else:
        clock.advance(10)
        clock.step(-10)
    permit = breaker.enter(clock.wall())
    assert permit.probe
    breaker.share(breaker.on_result(late, None, 0.0))
    assert breaker.get_state() == "half_open"  # a result under the expired lease does not count
    breaker.share(breaker.on_result(permit, None, 0.0))
    assert breaker.get_state() == "closed"


@pytest.mark.parametrize("ends", ["cancelled", "good"])
def test_a_probe_that_ends_gives_back_one_place(ends: str, clock: ManualClock) -> None:
    """A probe returns its own slot only."""
    breaker = half_open(clock, half_open_max_calls=3, success_threshold=5)
    first, _second, _third = (breaker.enter(clock.wall()) for _ in range(3))
    if ends == "cancelled":
        breaker.on_error(first, asyncio.CancelledError(), 0.0)
    else:
        breaker.share(breaker.on_result(first, None, 0.0))
    breaker.enter(clock.wall())
    with pytest.raises(CircuitOpenError):
        breaker.enter(clock.wall())


def test_one_slow_call_of_ten_opens_nothing(clock: ManualClock) -> None:
    """The share of slow calls counts, so a single slow call does not open the circuit."""
    settings: dict[str, Any] = {"slow_call_seconds": 1.0, "slow_call_rate_threshold": 0.5, "minimum_calls": 10}
    breaker = CircuitBreaker("slow", clock=clock, **settings)
    for number in range(20):
        with breaker.guard():
            clock.advance(2.0 if number < 2 else 0.0)
    assert breaker.get_state() == "closed"
    for _ in range(20):
        with breaker.guard():
            clock.advance(0.5 if breaker.get_state() == "open" else 2.0)
        if breaker.get_state() == "open":
            break
    assert breaker.get_state() == "open"
