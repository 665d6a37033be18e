"""Cache and limiter against models, with faults, crashes, forks and freezes; the breaker has its own.

`MACHINE_RUNS=10000` has each run as often.
"""

from __future__ import annotations

import itertools
import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from resilience import CacheManager, MemoryStore, RateLimiter, cached, flush
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from testing.forks import child_of

pytestmark = pytest.mark.properties

RUNS = int(os.environ.get("MACHINE_RUNS", "100"))
FAULTS = ("down", "lose_writes", "lose_answers")
environments = st.integers(0, 2)
_names = itertools.count()


class Environment:
    """One execution environment: its clock, and its view of the store."""

    def __init__(self, clock: ManualClock, shared: MemoryStore) -> None:
        self.clock = clock
        self.store = FaultyStore(shared)


class Fleet(RuleBasedStateMachine):
    """Three environments over one store with intermittent faults."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.shared = MemoryStore(clock=self.clock)
        self.fleet: list[Any] = [None] * 3
        self.name = str(next(_names))

    def build(self, clock: ManualClock) -> Environment:
        """Start an environment."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        for n in range(3):
            self.fleet[n] = self.build(ManualClock())

    @rule(n=environments)
    def crash(self, n: int) -> None:
        self.fleet[n] = self.build(self.fleet[n].clock)

    @rule(n=environments, m=environments)
    def fork(self, n: int, m: int) -> None:
        """A child of one environment continues beside it, in place of another that has ended (or of itself)."""
        self.fleet[m] = child_of(self.fleet[n], self, self.shared)

    @rule(n=environments, fault=st.sampled_from(FAULTS), on=st.sampled_from([False, False, True]))
    def fault(self, n: int, fault: str, on: bool) -> None:
        setattr(self.fleet[n].store, fault, on)

    @rule(n=environments, seconds=st.sampled_from([2.0, 61.0]))
    def stop_in_the_next_request(self, n: int, seconds: float) -> None:
        """The environment is stopped or frozen while the store answers."""
        self.fleet[n].store.on_answer = lambda: self.let_pass(seconds, frozen=n)

    @rule(seconds=st.sampled_from([0.5, 3.0, 20.0, 61.0, 4_000.0]), frozen=st.none() | environments)
    def let_pass(self, seconds: float, frozen: int | None) -> None:
        """Time passes; the monotonic clock of a frozen environment does not move."""
        self.clock.advance(seconds)
        for n, environment in enumerate(self.fleet):
            (environment.clock.freeze if n == frozen else environment.clock.advance)(seconds)


class LimiterEnvironment(Environment):
    """An environment that counts calls."""

    def __init__(self, clock: ManualClock, shared: MemoryStore, name: str, limit: int) -> None:
        super().__init__(clock, shared)
        self.limiter = RateLimiter(per_minute=limit, per_hour=None, store=self.store, clock=clock, name=name)


class Limits(Fleet):
    """A limit of twelve a minute."""

    LIMIT = 12

    def __init__(self) -> None:
        super().__init__()
        self.counted: Counter[int] = Counter()
        self.started: Counter[int] = Counter()

    def window(self) -> int:
        return int(self.clock.wall() // 60)

    def build(self, clock: ManualClock) -> Environment:
        self.started[self.window()] += 1
        return LimiterEnvironment(clock, self.shared, self.name, self.LIMIT)

    @rule(n=environments, m=environments)
    def fork(self, n: int, m: int) -> None:
        super().fork(n, m)
        self.started[self.window()] += 1

    @rule(n=environments, calls=st.integers(1, 20))
    def call(self, n: int, calls: int) -> None:
        for _ in range(calls):
            decision = self.fleet[n].limiter.check("u")
            if decision.allowed and not decision.fail_open:
                self.counted[self.window()] += 1
            if not decision.allowed:
                assert 0 < decision.retry_after <= 120
            assert 0 <= decision.remaining <= self.LIMIT

    @invariant()
    def no_window_passes_more_than_the_limit_and_the_credit(self) -> None:
        for window, counted in self.counted.items():
            assert counted <= self.LIMIT + 3 + self.started[window]

    def teardown(self) -> None:
        """When the faults are over, a subject that was left alone is let in."""
        for n, environment in enumerate(self.fleet):
            if environment is None:
                continue
            environment.store.calm()
            self.let_pass(121, frozen=None)
            assert self.fleet[n].limiter.check("u").allowed


class CacheEnvironment(Environment):
    """An environment that caches a source's values, for everybody and for one user."""

    def __init__(self, clock: ManualClock, shared: MemoryStore) -> None:
        super().__init__(clock, shared)
        self.managers = {private: CacheManager(store=self.store, clock=clock) for private in (False, True)}


class Caches(Fleet):
    """One source, written through one environment and read through all, shared and private."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0
        self.told = 0
        self.told_at = self.clock.wall()

    def build(self, clock: ManualClock) -> Environment:
        return CacheEnvironment(clock, self.shared)

    def function(self, n: int, *, private: bool) -> Any:
        """The environment's cached function; its only state is the manager's."""
        return cached(
            60,
            key=lambda: "key",
            key_prefix=f"{self.name} {private}",
            manager=self.fleet[n].managers[private],
            private=private,
            stale_if_error=30,
            stale_while_revalidate=0 if private else 30,
        )(self.read)

    def read(self) -> int:
        return self.value

    @rule(n=environments)
    def write(self, n: int) -> None:
        """Change the source and invalidate the cache; a caller that gets True may rely on it."""
        self.value += 1
        told = [self.function(n, private=private).invalidate() for private in (False, True)]
        if all(told):
            self.told, self.told_at = self.value, self.clock.wall()

    @rule(n=environments)
    def read_private(self, n: int) -> None:
        """A private value is never older than the last acknowledged write, wherever it is read."""
        assert self.told <= self.function(n, private=True)() <= self.value

    @rule(n=environments)
    def read_shared(self, n: int) -> None:
        """A shared value is outdated for a short time only, unless the store does not answer."""
        asked_at = self.clock.wall()
        value = self.function(n, private=False)()
        assert value <= self.value
        if asked_at > self.told_at + 5 and not self.fleet[n].store.down:
            assert value >= self.told

    @rule()
    def everybody_has_heard(self) -> None:
        """Six seconds later no environment that reaches the store serves a value from before the last write."""
        self.let_pass(6, frozen=None)
        for n in range(3):
            self.read_shared(n)

    @rule(n=environments)
    def refreshes_end(self, n: int) -> None:
        assert flush(5)
        self.fleet[n].managers[False].cleanup_expired()


TestLimits = Limits.TestCase
TestLimits.settings = settings(max_examples=RUNS, stateful_step_count=30, deadline=None)
TestCaches = Caches.TestCase
TestCaches.settings = settings(max_examples=RUNS, stateful_step_count=30, deadline=None)
