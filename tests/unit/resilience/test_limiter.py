"""The rate limiter: what a fleet lets through together, and its cost."""

from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import pytest

from resilience import Decision, Limit, MemoryStore, RateLimitedError, RateLimiter, events
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_800_000_000.0)  # the start of a minute and an hour


def fleet(clock: ManualClock, size: int, **limits: Any) -> tuple[list[RateLimiter], list[FaultyStore]]:
    shared = MemoryStore(clock=clock)
    stores = [FaultyStore(shared) for _ in range(size)]
    return [RateLimiter(store=store, clock=clock, **limits) for store in stores], stores


def test_one_process_stops_at_the_limit(clock: ManualClock) -> None:
    """Exactly as many calls pass as the limit allows, and the next minute starts again."""
    limiter = RateLimiter(clock=clock)
    assert sum(limiter.check("u").allowed for _ in range(150)) == 100
    refused = limiter.check("u")
    assert (refused.allowed, refused.remaining, refused.limit, refused.policy) == (False, 0, 100, "minute")
    clock.advance(refused.retry_after - 0.1)
    assert not limiter.check("u").allowed
    clock.advance(0.2)
    assert limiter.check("u").allowed


def test_it_remembers_as_many_subjects_as_it_says(clock: ManualClock) -> None:
    """The number of remembered subjects holds for any number of limits each."""
    limiter = RateLimiter(per_minute=2, per_hour=10, clock=clock, max_subjects=1)
    assert [limiter.check("u").allowed for _ in range(4)] == [True, True, False, False]


@pytest.mark.parametrize("pattern", ["even", "random", "one_after_another"])
def test_ten_processes_share_a_limit(pattern: str, clock: ManualClock) -> None:
    """At a limit of 100 a minute at most 110 calls pass, however they spread, at 0.2 writes per call at most."""
    limiters, stores = fleet(clock, 10)
    chance = random.Random(3)
    order: dict[str, Any] = {
        "even": itertools.cycle(limiters),
        "random": iter(lambda: chance.choice(limiters), None),
        "one_after_another": iter([limiter for limiter in limiters for _ in range(30)]),
    }
    passed = sum(next(order[pattern]).check("u").allowed for _ in range(300))
    assert 90 <= passed <= 110
    assert sum(store.writes for store in stores) <= 0.2 * 300


def test_a_steady_caller_costs_few_writes(clock: ManualClock) -> None:
    """Sixty calls a minute for ten minutes cost at most 0.2 writes per call, and one call a minute none."""
    (limiter,), (store,) = fleet(clock, 1)
    for _ in range(600):
        assert limiter.check("busy").allowed
        clock.advance(1)
    assert store.writes <= 0.2 * 600
    before = store.writes
    for _ in range(10):
        assert limiter.check("seldom").allowed
        clock.advance(60)
    assert store.writes == before


def test_the_hour_counts_too(clock: ManualClock) -> None:
    """A caller below the minute's limit is still subject to the hour's."""
    limiter = RateLimiter(per_minute=100, per_hour=150, clock=clock)
    passed = 0
    for _ in range(4):
        passed += sum(limiter.check("u").allowed for _ in range(60))
        clock.advance(60)
    assert passed == 150
    refused = limiter.check("u")
    assert refused.policy == "hour"
    clock.advance(refused.retry_after + 0.1)
    assert limiter.check("u").allowed


def test_subjects_do_not_share(clock: ManualClock) -> None:
    """One subject's calls do not count for another."""
    limiter = RateLimiter(per_minute=5, per_hour=None, clock=clock)
    assert [limiter.check("a").allowed for _ in range(6)] == [True] * 5 + [False]
    assert limiter.check("b").allowed


def test_a_subject_can_have_limits_of_its_own(clock: ManualClock) -> None:
    """Limits given with the call override the limiter's."""
    limiter = RateLimiter(clock=clock)
    special = [Limit("burst", 2, 10)]
    assert [limiter.check("a", limits=special).allowed for _ in range(3)] == [True, True, False]


def test_async_callers_are_counted_alike(clock: ManualClock) -> None:
    """A hundred concurrent tasks get no more than the limit."""
    limiter = RateLimiter(per_minute=30, per_hour=None, clock=clock)

    async def scenario() -> list[Decision]:
        return await asyncio.gather(*(limiter.check_async("u") for _ in range(100)))

    assert sum(decision.allowed for decision in asyncio.run(scenario())) == 30


def test_it_opens_when_the_store_is_down(clock: ManualClock, events: list[events.Event]) -> None:
    """Calls pass, marked and reported, and limits apply again when the store is back."""
    (limiter,), (store,) = fleet(clock, 1)
    store.down = True
    decisions = [limiter.check("u") for _ in range(300)]
    assert all(decision.allowed for decision in decisions)
    assert decisions[-1].fail_open
    assert {event.kind for event in events} == {"rate_limit_open"}
    assert len(events) <= 2
    store.down = False
    clock.advance(2)
    assert sum(limiter.check("u").allowed for _ in range(300)) <= 100


def test_header_fields(clock: ManualClock) -> None:
    """RateLimit and RateLimit-Policy are the IETF draft's structured fields; a refusal has Retry-After."""
    limiter = RateLimiter(per_minute=10, clock=clock)
    clock.advance(12.5)
    assert limiter.check("u").headers() == {
        "RateLimit-Policy": '"minute";q=10;w=60, "hour";q=1000;w=3600',
        "RateLimit": '"minute";r=9;t=48',
    }
    for _ in range(10):
        limiter.check("u")
    assert limiter.check("u").headers()["Retry-After"] == "54"  # the next minute, and a tenth of it
    with pytest.raises(RateLimitedError) as refused:
        limiter.enforce("u")
    assert refused.value.retry_after == pytest.approx(53.5)
