"""Ways around a rate limit: window edges, lost answers, evictions, throttling, long names."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from resilience import Limit, MemoryStore, RateLimiter
from resilience.events import Event
from resilience.store.protocol import StoreThrottledError
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000.0)  # the start of a minute and an hour


def test_there_is_no_double_burst_at_the_edge(clock: ManualClock) -> None:
    """A hundred calls in the last second of a minute leave none for the first second of the next."""
    limiter = RateLimiter(per_hour=None, clock=clock)
    clock.advance(59)
    assert sum(limiter.check("u").allowed for _ in range(200)) == 100
    clock.advance(1)
    passed = 0
    for _ in range(10):
        passed += sum(limiter.check("u").allowed for _ in range(50))
        clock.advance(1)
    assert 10 <= passed <= 17  # the rate of the limit


def test_an_environment_that_knows_nothing_has_no_second_burst_either(clock: ManualClock) -> None:
    """Another environment reads the previous minute's count from the store, even from another item."""
    store = MemoryStore(clock=clock)
    for start in (59, 660 - 60):
        one, other = (RateLimiter(per_hour=None, clock=clock, store=store) for _ in range(2))
        clock.advance(start)
        assert sum(one.check("u").allowed for _ in range(200)) == 100
        clock.advance(1 if start == 59 else 60)
        assert sum(other.check("u").allowed for _ in range(200)) <= 2
        clock.advance(600 - clock.wall() % 600)


def test_waiting_as_long_as_it_says_is_enough(clock: ManualClock) -> None:
    """A caller that waits as long as Retry-After says is let in, whenever it was refused."""
    for passed in range(0, 120, 7):
        limiter = RateLimiter(per_minute=20, per_hour=None, clock=clock)
        clock.advance(passed / 2)
        refused = [limiter.check("u") for _ in range(50)][-1]
        assert not refused.allowed
        clock.advance(int(refused.headers()["Retry-After"]))
        assert limiter.check("u").allowed


@pytest.mark.parametrize("subject", ["x" * 5_000, "ü" * 3_000, "\ud800"])
def test_subjects_of_any_length_are_limited(subject: str, clock: ManualClock) -> None:
    """Keys have a maximum length; longer names are told apart by their hash."""
    store = FaultyStore(MemoryStore(clock=clock))
    limiter = RateLimiter(per_minute=5, per_hour=None, store=store, clock=clock)
    assert sum(limiter.check(subject).allowed for _ in range(20)) == 5
    assert sum(limiter.check(subject + "y").allowed for _ in range(20)) == 5
    partitions = list(store.inner._items)  # type: ignore[attr-defined]
    assert all(len(key.encode("utf-8", "surrogatepass")) < 1_000 for key in partitions)


def test_other_windows_under_the_same_name_do_not_meet(clock: ManualClock) -> None:
    """Two limits with one name and different windows count separately, locally and in the store."""
    store = MemoryStore(clock=clock)
    limiter = RateLimiter(store=store, clock=clock)
    short, long = [Limit("burst", 5, 10)], [Limit("burst", 3, 600)]
    assert sum(limiter.check("u", limits=short).allowed for _ in range(9)) == 5
    assert sum(limiter.check("u", limits=long).allowed for _ in range(9)) == 3
    other = RateLimiter(store=store, clock=clock)
    assert sum(other.check("u", limits=short).allowed for _ in range(9)) <= 1


def test_being_forgotten_gives_no_new_credit(clock: ManualClock) -> None:
    """Subjects that evict each other from memory are still counted by the store."""
    limiter = RateLimiter(per_minute=5, per_hour=None, clock=clock, max_subjects=2)
    passed = dict.fromkeys("abcdef", 0)
    for _ in range(50):
        for subject in passed:
            passed[subject] += limiter.check(subject).allowed
    assert max(passed.values()) <= 6


class LosesAnswers(FaultyStore):
    """A store that loses every second answer after it counted."""

    number = 0

    def add(self, *arguments: Any, **named: Any) -> dict[str, int]:
        self.number += 1
        self.lose_answers = self.number % 2 == 1
        return super().add(*arguments, **named)


def test_a_lost_answer_costs_no_tokens(clock: ManualClock) -> None:
    """The repeated request gets the tokens that were counted: all of the limit is used, and no more."""
    store = LosesAnswers(MemoryStore(clock=clock))
    limiter = RateLimiter(per_minute=100, per_hour=None, store=store, clock=clock)
    counted = 0
    for _ in range(400):
        decision = limiter.check("u")
        counted += decision.allowed and not decision.fail_open
        if decision.fail_open:
            clock.advance(1)
    assert 99 <= counted <= 101


class Throttling(FaultyStore):
    throttled = False

    def add(self, *arguments: Any, **named: Any) -> dict[str, int]:
        if self.throttled:
            raise StoreThrottledError("slow down")
        return super().add(*arguments, **named)


def test_a_refused_subject_stays_refused_while_the_store_is_throttled(clock: ManualClock) -> None:
    """A subject that throttles its own key gains nothing; others are let through."""
    store = Throttling(MemoryStore(clock=clock))
    limiter = RateLimiter(per_minute=10, per_hour=None, store=store, clock=clock)
    while limiter.check("mallory").allowed:
        pass
    store.throttled = True
    for _ in range(130):
        assert not limiter.check("mallory").allowed
        clock.advance(0.5)
    assert limiter.check("alice").allowed
    assert limiter.check("alice").allowed


class Slow(FaultyStore):
    """A store that takes ten milliseconds per answer, like a table."""

    blocking = True

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__(inner)
        self.counted: set[str] = set()

    def add(self, pk: str, sk: str, deltas: Mapping[str, int], **named: Any) -> dict[str, int]:
        threading.Event().wait(0.01)
        self.counted.add(pk)
        return super().add(pk, sk, deltas, **named)


def test_a_queue_of_our_own_is_no_outage(clock: ManualClock, events: list[Event]) -> None:
    """Six hundred concurrent subjects over a slow table are all counted."""
    store = Slow(MemoryStore(clock=clock))
    limiter = RateLimiter(per_minute=10, per_hour=None, store=store, clock=clock)

    async def scenario() -> None:
        for _ in range(2):  # each subject's first call is on credit
            decisions = await asyncio.gather(*(limiter.check_async(f"user {n}") for n in range(600)))
            assert not any(decision.fail_open for decision in decisions)

    asyncio.run(scenario())
    assert len(store.counted) == 600
    assert not [event for event in events if event.kind == "rate_limit_open"]
