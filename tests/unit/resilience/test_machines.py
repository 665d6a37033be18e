"""Cache and limiter against models, with faults, crashes and freezes at any moment. The breaker's machine is apart.

`MACHINE_RUNS=10000` has each run as often.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from resilience import CacheManager, MemoryStore, RateLimiter, cached, flush
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore

RUNS = int(os.environ.get("MACHINE_RUNS", "100"))
FAULTS = ("down", "lose_writes", "lose_answers")
environments = st.integers(0, 2)
_names = itertools.count()


class Fleet(RuleBasedStateMachine):
    """Three environments over one store, whose faults come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock()
        self.shared = MemoryStore(clock=self.clock)
        self.stores = [FaultyStore(self.shared) for _ in range(3)]
        self.name = str(next(_names))

    def build(self, n: int) -> None:
        """Start an environment, or start it anew after a crash."""
        raise NotImplementedError

    @initialize()
    def begin(self) -> None:
        for n in range(3):
            self.build(n)

    @rule(n=environments)
    def crash(self, n: int) -> None:
        self.build(n)

    @rule(n=environments, fault=st.sampled_from(FAULTS), on=st.sampled_from([False, False, True]))
    def fault(self, n: int, fault: str, on: bool) -> None:
        setattr(self.stores[n], fault, on)

    @rule(seconds=st.sampled_from([0.5, 3.0, 20.0, 61.0, 4_000.0]), frozen=st.booleans())
    def time_passes(self, seconds: float, frozen: bool) -> None:
        self.clock.freeze(seconds) if frozen else self.clock.advance(seconds)


class Limits(Fleet):
    """A limit of twelve a minute."""

    LIMIT = 12

    def __init__(self) -> None:
        super().__init__()
        self.limiters: dict[int, RateLimiter] = {}
        self.counted: dict[int, int] = {}
        self.started: dict[int, int] = {}

    def build(self, n: int) -> None:
        self.limiters[n] = RateLimiter(
            per_minute=self.LIMIT, per_hour=None, store=self.stores[n], clock=self.clock, name=self.name
        )
        window = int(self.clock.wall() // 60)
        self.started[window] = self.started.get(window, 0) + 1

    @rule(n=environments, calls=st.integers(1, 20))
    def call(self, n: int, calls: int) -> None:
        window = int(self.clock.wall() // 60)
        for _ in range(calls):
            decision = self.limiters[n].check("u")
            if decision.allowed and not decision.fail_open:
                self.counted[window] = self.counted.get(window, 0) + 1
            if not decision.allowed:
                assert 0 < decision.retry_after <= 120
            assert 0 <= decision.remaining <= self.LIMIT

    @invariant()
    def no_window_passes_more_than_the_limit_and_the_credit(self) -> None:
        for window, counted in self.counted.items():
            assert counted <= self.LIMIT + 3 + self.started.get(window, 0)

    def teardown(self) -> None:
        """When the faults are over, a subject that was left alone is let in."""
        for n, store in enumerate(self.stores):
            for fault in FAULTS:
                setattr(store, fault, False)
            self.clock.advance(121)
            assert self.limiters[n].check("u").allowed


class Caches(Fleet):
    """One source, written through one environment and read through all, shared and private."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0
        self.told = 0
        self.told_at = self.clock.wall()
        self.functions: dict[tuple[int, bool], Any] = {}

    def build(self, n: int) -> None:
        for private in (False, True):
            manager = CacheManager(store=self.stores[n], clock=self.clock)
            self.functions[n, private] = cached(
                60,
                key=lambda: "key",
                key_prefix=f"{self.name} {private}",
                manager=manager,
                private=private,
                stale_if_error=30,
                stale_while_revalidate=0 if private else 30,
            )(self.read)

    def read(self) -> int:
        return self.value

    @rule(n=environments)
    def write(self, n: int) -> None:
        """Change the source, and tell the cache of it; who is told True may rely on it."""
        self.value += 1
        told = [self.functions[n, private].invalidate() for private in (False, True)]
        if all(told):
            self.told, self.told_at = self.value, self.clock.wall()

    @rule(n=environments)
    def read_private(self, n: int) -> None:
        """What belongs to one user is never older than the last write that was told, wherever it is read."""
        assert self.told <= self.functions[n, True]() <= self.value

    @rule(n=environments)
    def read_shared(self, n: int) -> None:
        """What belongs to everybody is not older than that for long, unless the store does not answer."""
        value = self.functions[n, False]()
        assert value <= self.value
        if self.clock.wall() > self.told_at + 5 and not self.stores[n].down:
            assert value >= self.told

    @rule()
    def everybody_has_heard(self) -> None:
        """Six seconds later no environment that reaches the store answers with what was before the last write."""
        self.clock.advance(6)
        for n in range(3):
            self.read_shared(n)

    @rule(n=environments)
    def refreshes_end(self, n: int) -> None:
        assert flush(5)
        self.functions[n, False].cache.cleanup_expired()


TestLimits = Limits.TestCase
TestLimits.settings = settings(max_examples=RUNS, stateful_step_count=30, deadline=None)
TestCaches = Caches.TestCase
TestCaches.settings = settings(max_examples=RUNS, stateful_step_count=30, deadline=None)
