"""The circuit breaker across environments, over DynamoDB as moto evaluates it."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

import resilience
from resilience import CircuitBreaker, CircuitOpenError, DynamoStore, MemoryStore, Store, circuit_breaker
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


class DownError(Exception):
    """The dependency failed."""


class Environment:
    """A separate breaker with a fault-injecting view of the shared store, and optionally its own clock."""

    def __init__(self, shared: Store, clock: ManualClock, **settings: float) -> None:
        self.store = FaultyStore(shared)
        self.breaker = CircuitBreaker(
            "dependency",
            store=self.store,
            clock=clock,
            jitter=0,
            **settings,  # type: ignore[arg-type]
        )

    def good(self) -> None:
        with self.breaker.guard():
            pass

    def bad(self) -> None:
        with pytest.raises(DownError), self.breaker.guard():
            raise DownError

    def refused(self) -> None:
        with pytest.raises(CircuitOpenError), self.breaker.guard():
            pytest.fail("it is open")


@pytest.fixture(params=["memory", "dynamo"])
def shared(request: pytest.FixtureRequest, clock: ManualClock) -> Store:
    if request.param == "memory":
        return MemoryStore(clock=clock)
    return DynamoStore(request.getfixturevalue("table"), clock=clock, read_timeout=10.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def test_one_trips_and_all_follow_within_five_seconds(shared: Store, clock: ManualClock) -> None:
    """After one environment opens the circuit, the others follow with their next snapshot."""
    first, second = Environment(shared, clock), Environment(shared, clock)
    second.good()
    for _ in range(5):
        first.bad()
    assert second.breaker.get_state() == "closed"
    clock.advance(5)
    second.refused()
    assert second.breaker.get_state() == "open"


def test_one_probes_for_all(shared: Store, clock: ManualClock) -> None:
    """Of several environments one is elected to probe, and its success closes the circuit for all."""
    fleet = [Environment(shared, clock) for _ in range(5)]
    for _ in range(5):
        fleet[0].bad()
    clock.advance(60)
    with fleet[1].breaker.guard():
        for other in fleet[2:]:
            other.refused()
    clock.advance(5)
    for other in fleet:
        other.good()
        assert other.breaker.get_state() == "closed"


def test_a_dead_prober_is_replaced_after_its_lease(shared: Store, clock: ManualClock) -> None:
    """An environment that dies while probing delays the others by at most one lease."""
    first, second = Environment(shared, clock, lease_seconds=20), Environment(shared, clock, lease_seconds=20)
    for _ in range(5):
        first.bad()
    clock.advance(60)
    lost = first.breaker.enter(clock.wall())
    second.refused()
    clock.advance(19)
    second.refused()
    clock.advance(1)
    second.good()
    assert second.breaker.get_state() == "closed"
    version = second.breaker.snapshot().version
    first.breaker.share(first.breaker.on_error(lost, DownError(), 0.0))
    item = shared.get("control", "circuit#dependency")
    assert item is not None
    assert (item.version, item.attributes["state"]) == (version, "closed")


def test_a_stale_environment_cannot_undo_a_recovery(shared: Store, clock: ManualClock) -> None:
    """A transition based on an old generation is dropped, and the newer record is followed."""
    stale, other = Environment(shared, clock), Environment(shared, clock)
    stale.good()
    for _ in range(5):
        other.bad()
    other.breaker.reset()
    before = shared.get("control", "circuit#dependency")
    for _ in range(5):
        stale.bad()
    after = shared.get("control", "circuit#dependency")
    assert before == after
    assert stale.breaker.get_state() == "closed"
    for _ in range(5):
        stale.bad()
    assert stale.breaker.get_state() == "open"


def test_a_lost_answer_is_recognised(shared: Store, clock: ManualClock) -> None:
    """An environment whose write succeeded but whose answer was lost continues from its own write."""
    first = Environment(shared, clock)
    first.store.lose_answers = True
    for _ in range(5):
        first.bad()
    first.store.lose_answers = False
    clock.advance(60)
    first.good()
    item = shared.get("control", "circuit#dependency")
    assert item is not None
    assert item.attributes["state"] == "closed"
    assert first.breaker.get_state() == "closed"


def test_it_trips_while_the_store_is_down(shared: Store, clock: ManualClock) -> None:
    """Without the store each environment decides by itself, opens, and recovers."""
    alone = Environment(shared, clock)
    alone.store.down = True
    for _ in range(5):
        alone.bad()
    alone.refused()
    clock.advance(60)
    alone.good()
    assert alone.breaker.get_state() == "closed"


def test_orders_of_an_operator_win(shared: Store, clock: ManualClock) -> None:
    """Reset and force_open overwrite whatever other environments wrote."""
    first, second = Environment(shared, clock), Environment(shared, clock)
    second.good()
    for _ in range(5):
        first.bad()
    second.breaker.force_open()
    clock.advance(600)
    first.refused()
    first.breaker.reset()
    clock.advance(5)
    second.good()


def test_healthy_it_writes_nothing_and_reads_every_five_seconds(
    table: str, clock: ManualClock, requests: Counter[str]
) -> None:
    """All circuits of an environment together cost one query in five seconds, and no write."""
    store = DynamoStore(table, clock=clock, read_timeout=10.0)
    store.blocking = False
    breakers = [CircuitBreaker(f"c{n}", store=store, clock=clock) for n in range(10)]
    for _ in range(60):
        for breaker in breakers:
            with breaker.guard():
                pass
        clock.advance(0.5)
    assert set(requests) == {"Query"}
    assert requests["Query"] <= 30 / 5


@pytest.mark.parametrize("shape", ["all", "four_of_five", "half"])
@pytest.mark.parametrize("down", [False, True])
def test_a_hundred_async_environments_trip(shape: str, down: bool, clock: ManualClock) -> None:
    """Each of a hundred environments opens, however the calls fail and whether or not the store answers."""
    shared = MemoryStore(clock=clock)
    good = {"all": 10**9, "four_of_five": 5, "half": 2}[shape]

    async def environment() -> CircuitBreaker:
        store, calls = FaultyStore(shared), 0
        store.down = down

        @circuit_breaker(name="dependency", store=store, clock=clock)
        async def call() -> None:
            nonlocal calls
            calls += 1
            await asyncio.sleep(0)
            if calls % good:
                raise DownError

        for _ in range(12):
            try:
                await call()
            except (DownError, CircuitOpenError):
                continue
        assert calls <= 11  # the minimum of ten, and one failure after it
        return call.circuit_breaker  # type: ignore[attr-defined, no-any-return]

    async def fleet() -> list[CircuitBreaker]:
        return await asyncio.gather(*(environment() for _ in range(100)))

    breakers = asyncio.run(fleet())
    assert {breaker.get_state() for breaker in breakers} == {"open"}


def test_the_same_name_twice_in_one_environment_opens_at_once(clock: ManualClock) -> None:
    """Two functions with circuits of the same name see each other's state without waiting for a snapshot."""
    resilience.configure(store=MemoryStore(clock=clock))
    first, second = CircuitBreaker("twice", clock=clock), CircuitBreaker("twice", clock=clock)
    with second.guard():
        pass
    first.force_open()
    assert second.get_state() == "open"
    resilience.configure()


def test_a_dashboard_sees_circuits_of_others(table: str, clock: ManualClock) -> None:
    """An environment without any breaker shows the whole fleet's circuits and their records."""
    with (
        pytest.raises(DownError),
        CircuitBreaker(
            "database",
            store=DynamoStore(table, clock=clock, read_timeout=10.0),
            clock=clock,
            failure_threshold=1,
            jitter=0,
        ).guard(),
    ):
        raise DownError
    resilience.configure(store=DynamoStore(table, clock=clock, read_timeout=10.0))
    (circuit,) = asyncio.run(resilience.shared_circuits_async(clock=clock))
    assert (circuit.name, circuit.state, circuit.reason, circuit.retry_after) == ("database", "open", "failures", 60)


def test_an_unreachable_table_neither_delays_nor_disarms_it(
    monkeypatch: pytest.MonkeyPatch, clock: ManualClock
) -> None:
    """With an unreachable table an async function still opens its circuit, and its errors arrive unchanged."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    store = DynamoStore("t", region="eu-central-1", endpoint_url="http://127.0.0.1:9", attempts=1, clock=clock)

    @circuit_breaker(name="dependency", store=store, clock=clock)
    async def call() -> None:
        raise DownError

    async def scenario() -> None:
        for _ in range(5):
            with pytest.raises(DownError):
                await call()
        with pytest.raises(CircuitOpenError):
            await call()
        clock.advance(66)
        with pytest.raises(DownError):
            await call()

    asyncio.run(scenario())
    assert call.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]
    assert resilience.flush(10)
    store.close()


def test_a_cancelled_candidate_leaves_no_probe_behind(table: str, clock: ManualClock) -> None:
    """A caller that is cancelled while its election is written returns the probe slot."""
    store = DynamoStore(table, clock=clock, read_timeout=10.0)
    breaker = CircuitBreaker("dependency", store=store, clock=clock, failure_threshold=1, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.advance(60)

    async def scenario() -> None:
        async def probe() -> None:
            async with breaker.guard_async():
                pytest.fail("it was cancelled before")

        task = asyncio.create_task(probe())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        while breaker.get_state() != "half_open" or breaker.circuit._probes:  # noqa: ASYNC110 - a thread does it
            await asyncio.sleep(0)
        async with breaker.guard_async():
            pass

    asyncio.run(scenario())
    assert breaker.get_state() == "closed"
    resilience.flush(10)


def test_an_operator_works_on_circuits_by_name(shared: Store, clock: ManualClock) -> None:
    """An environment without the breaker opens and resets it for all, and the record keeps the history."""
    environment = Environment(shared, clock)
    resilience.configure(store=shared)
    for _ in range(5):
        environment.bad()
    assert asyncio.run(resilience.reset_circuit_async("dependency", clock=clock))
    clock.advance(5)
    environment.good()
    clock.advance(5)
    environment.good()
    assert environment.breaker.get_state() == "closed"
    assert asyncio.run(resilience.force_open_async("dependency", clock=clock))
    clock.advance(5)
    environment.refused()
    environment.breaker.reset()
    found = asyncio.run(resilience.shared_circuits_async(clock=clock))[0]
    assert [(change.state, change.reason) for change in found.history] == [
        ("open", "failures"),
        ("closed", "reset"),
        ("open", "forced"),
        ("closed", "reset"),
    ]
    assert found.history[0].at < found.history[-1].at


def test_an_order_that_nobody_heard_is_told_so(clock: ManualClock) -> None:
    """With the store down the operator is told that the fleet was not informed."""
    view = FaultyStore(MemoryStore(clock=clock))
    view.down = True
    resilience.configure(store=view)
    assert not asyncio.run(resilience.reset_circuit_async("dependency", clock=clock))
    resilience.configure()
