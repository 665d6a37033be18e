"""A fleet of breakers driven at random over one store: invariants that hold in every order of events.

Calls begin and end at any time in any environment; reads are stale, writes and answers are lost, probers die, fork or
are stopped, wall clocks step, the store and the dependency go down and come back. The same machine runs over memory
(300 examples, or MACHINE_RUNS) and over DynamoDB as moto evaluates it (some).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from resilience import CircuitBreaker, CircuitOpenError, DynamoStore, MemoryStore, Store
from resilience.breaker.permit import Permit
from resilience.store import Item, Value
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from testing.forks import child_of

pytestmark = [pytest.mark.properties, pytest.mark.slow]

RUNS = int(os.environ.get("MACHINE_RUNS", "300"))
FLEET, LEASE, THRESHOLD = 3, 20.0, 3
environments = st.integers(0, FLEET - 1)


class DownError(Exception):
    """The dependency failed."""


class Ledger:
    """The shared store, which records every write that it accepts."""

    blocking = False

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.elapsed = 0.0
        self.accepted: list[tuple[int | None, Mapping[str, Value], float]] = []

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def put_if(
        self,
        pk: str,
        sk: str,
        attributes: Mapping[str, Value],
        *,
        expected_version: int | None,
        ttl: int | None = None,
        first_version: int = 1,
    ) -> bool:
        done = self.inner.put_if(pk, sk, attributes, expected_version=expected_version, ttl=ttl)
        if done:
            self.accepted.append((expected_version, attributes, self.elapsed))
        return done


class Environment:
    """One execution environment: its clock, its view of the store, its calls in progress."""

    def __init__(self, shared: Store) -> None:
        self.clock = ManualClock()
        self.store = FaultyStore(shared)
        self.breaker = CircuitBreaker(
            "dependency",
            store=self.store,
            clock=self.clock,
            failure_threshold=THRESHOLD,
            failure_rate_threshold=None,
            lease_seconds=LEASE,
            half_open_max_calls=2,
            jitter=0,
            max_recovery_timeout=60,
        )
        self.calls: list[tuple[Permit, bool]] = []
        self.hurried_at = -1.0

    def begin(self, down: bool) -> Permit | None:
        try:
            return self.breaker.enter(self.clock.wall())
        except CircuitOpenError:
            return None

    def end(self, permit: Permit, failed: bool) -> None:
        breaker = self.breaker
        record = breaker.on_error(permit, DownError(), 0.0) if failed else breaker.on_result(permit, None, 0.0)
        breaker.share(record)


class Fleet(RuleBasedStateMachine):
    """The rules are what can happen; the invariants are what must always hold."""

    shared: Store

    @initialize()
    def start(self) -> None:
        self.ledger = Ledger(self.make_store())
        self.fleet = [Environment(self.ledger) for _ in range(FLEET)]  # type: ignore[arg-type]
        self.down = False
        self.leases: list[tuple[Environment, float]] = []
        self.probers: dict[str, Environment] = {}

    def make_store(self) -> Store:
        # The store's own clock does not move, so nothing expires here.
        return MemoryStore(clock=ManualClock())

    @rule(n=environments, ends=st.sampled_from([True, False, False]))
    def call(self, n: int, ends: bool) -> None:
        environment = self.fleet[n]
        permit = self.begin(n, self.down)
        if permit is None:
            return
        if ends:
            environment.end(permit, self.down)
        else:
            environment.calls.append((permit, self.down))

    @rule(n=environments, seconds=st.sampled_from([1.0, 61.0]))
    def outage(self, n: int, seconds: float) -> None:
        """A shortcut to the interesting states: one environment sees enough failures to open, and time passes."""
        for _ in range(THRESHOLD):
            permit = self.begin(n, True)
            if permit is None:
                break
            self.fleet[n].end(permit, True)
        self.let_pass(seconds)

    @rule(n=environments)
    def late_result(self, n: int) -> None:
        if self.fleet[n].calls:
            self.fleet[n].end(*self.fleet[n].calls.pop(0))

    @rule(n=environments)
    def crash(self, n: int) -> None:
        self.fleet[n] = Environment(self.ledger)  # type: ignore[arg-type]

    @rule(n=environments, m=environments)
    def fork(self, n: int, m: int) -> None:
        """Fork one environment; the child replaces another, and calls in progress continue in both."""
        self.fleet[m] = child_of(self.fleet[n], self.ledger)

    @rule(n=environments, seconds=st.sampled_from([2.0, 25.0]))
    def stop_in_the_next_request(self, n: int, seconds: float) -> None:
        """The environment is suspended while the store answers, and all others continue."""
        self.fleet[n].store.on_answer = lambda: self.let_pass(seconds)

    @rule(seconds=st.sampled_from([0.1, 1.0, 4.0, 6.0, 19.0, 21.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        self.let_pass(seconds)

    def let_pass(self, seconds: float) -> None:
        """Time passes for everybody."""
        self.ledger.elapsed += seconds
        for environment in self.fleet:
            environment.clock.advance(seconds)

    @rule(n=environments, seconds=st.sampled_from([-3_600.0, -30.0, 30.0, 3_600.0]))
    def step_clock(self, n: int, seconds: float) -> None:
        self.fleet[n].clock.step(seconds)
        if seconds > 0:
            self.fleet[n].hurried_at = self.ledger.elapsed

    @rule(n=environments, seconds=st.sampled_from([5.0, 30.0, 100.0]))
    def sleep(self, n: int, seconds: float) -> None:
        """Lambda freezes one environment."""
        self.ledger.elapsed += seconds
        for m, environment in enumerate(self.fleet):
            (environment.clock.freeze if m == n else environment.clock.advance)(seconds)

    @rule(down=st.booleans())
    def dependency(self, down: bool) -> None:
        self.down = down

    @rule(n=environments, fault=st.sampled_from(["down", "lose_writes", "lose_answers", "none"]))
    def network(self, n: int, fault: str) -> None:
        store = self.fleet[n].store
        store.calm()
        if fault != "none":
            setattr(store, fault, True)

    @rule(n=environments, stale=st.booleans())
    def replica(self, n: int, stale: bool) -> None:
        store = self.fleet[n].store
        if stale:
            store.remember("control")
        else:
            store.stale = None

    @rule(n=environments, order=st.sampled_from(["reset", "force_open"]))
    def operator(self, n: int, order: str) -> None:
        getattr(self.fleet[n].breaker, order)()

    def begin(self, n: int, down: bool) -> Permit | None:
        """Begin a call; a lease belongs to one environment, so nobody else probes during it."""
        before, environment = len(self.ledger.accepted), self.fleet[n]
        permit = environment.begin(down)
        self.note_elections(n, before)
        if permit is not None and permit.probe:
            lease = environment.breaker.circuit.record.writer
            assert self.probers.setdefault(lease, environment) is environment, "two environments probe under one lease"
        return permit

    def note_elections(self, n: int, before: int) -> None:
        """Record elections on the true clock: there is none while another environment's lease lasts.

        But for those whose wall clock was set forward meanwhile: they think that it is over.
        """
        for expected, attributes, at in self.ledger.accepted[before:]:
            if attributes["state"] != "half_open":
                continue
            last = self.ledger.accepted[-2][1] if len(self.ledger.accepted) > 1 else {}
            if self.leases and last.get("state") == "half_open" and expected:
                owner, since = self.leases[-1]
                early = at - since < LEASE - 1e-6 and self.fleet[n].hurried_at < since
                assert owner is self.fleet[n] or not early, "two environments probe in one lease"
            self.leases.append((self.fleet[n], at))

    @invariant()
    def every_write_follows_the_last(self) -> None:
        """No write from an old generation is ever accepted."""
        if hasattr(self, "ledger"):
            versions = [(expected or 0) + 1 for expected, *_ in self.ledger.accepted]
            assert versions == list(range(1, len(versions) + 1))

    def teardown(self) -> None:
        if hasattr(self, "fleet"):
            with self.calm():
                self.opens_when_down()
                self.closes_when_well()

    @contextmanager
    def calm(self) -> Iterator[None]:
        for environment in self.fleet:
            environment.store.calm()
            environment.calls.clear()
            environment.breaker.reset()
        yield

    def opens_when_down(self) -> None:
        """Each environment opens within its threshold once the dependency is down and its snapshot is fresh.

        The dependency fails for one environment at a time, after each had the time to read what the last one did.
        """
        for environment in self.fleet:
            self.turn(5)
            for _ in range(THRESHOLD):
                permit = environment.begin(True)
                if permit is not None:
                    environment.end(permit, True)
            assert environment.breaker.get_state() != "closed"

    def closes_when_well(self) -> None:
        """Once the dependency has recovered, every environment closes after a few open times and leases."""
        for _ in range(12):
            self.turn(30)
            for environment in self.fleet:
                permit = environment.begin(False)
                if permit is not None:
                    environment.end(permit, False)
        for environment in self.fleet:
            assert environment.breaker.get_state() == "closed"

    def turn(self, seconds: float) -> None:
        for environment in self.fleet:
            environment.clock.advance(seconds)
            environment.breaker.get_state()


def test_in_memory() -> None:
    """The invariants hold over the store in memory, in many examples."""
    run_state_machine_as_test(
        Fleet, settings=settings(max_examples=RUNS, stateful_step_count=40, deadline=None, database=None)
    )


def test_over_dynamodb(table: str) -> None:
    """The invariants hold over DynamoDB's real conditions, in some examples; each starts with an empty partition."""
    store = DynamoStore(table, read_timeout=10.0, clock=ManualClock())

    class DynamoFleet(Fleet):
        def make_store(self) -> Store:
            for item in store.query("control"):
                store.delete(item.pk, item.sk)
            return store

    run_state_machine_as_test(
        DynamoFleet,
        settings=settings(
            max_examples=25,
            stateful_step_count=25,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("item", [Item("control", "circuit#x", {"state": "unheard-of"}, 3)])
def test_an_unknown_state_counts_as_closed(item: Item) -> None:
    """A record written by a later version of the package does not stop this one."""
    breaker = CircuitBreaker("x", store=MemoryStore())
    breaker.circuit.learn(item)
    assert breaker.get_state() == "closed"
