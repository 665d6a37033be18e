"""A limiter that counts only failures: calls that succeed are refunded."""

from __future__ import annotations

from resilience import MemoryStore, RateLimiter
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore


def limiter(clock: ManualClock, store: MemoryStore | None = None) -> RateLimiter:
    return RateLimiter(per_minute=10, per_hour=None, store=store or MemoryStore(clock=clock), clock=clock)


def test_what_is_given_back_does_not_count() -> None:
    """A thousand successful calls leave the whole limit for failures."""
    limits = limiter(ManualClock())
    for _ in range(1000):
        assert limits.check("a").allowed
        limits.refund("a")
    assert [limits.check("a").allowed for _ in range(11)] == [True] * 10 + [False]


def test_another_environment_is_not_given_more() -> None:
    """A refund stays in its environment: together they allow the limit and each one's first call on credit."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    here, there = limiter(clock, store), limiter(clock, store)
    for _ in range(20):
        here.check("a")
        here.refund("a")
    assert sum(each.check("a").allowed for _ in range(30) for each in (here, there)) <= 11


def test_nothing_comes_back_of_a_window_that_has_ended() -> None:
    """A refund of the last minute's call does not count in this one."""
    clock = ManualClock()
    limits = limiter(clock)
    limits.check("a")
    clock.advance(60)
    limits.refund("a")
    assert [limits.check("a").allowed for _ in range(11)] == [True] * 10 + [False]


def test_what_succeeds_in_many_environments_is_no_failure() -> None:
    """With blocks of one no tokens are left over: thirty environments with successful calls keep the limit whole."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    fleet = [RateLimiter(per_minute=60, per_hour=None, block=1, store=store, clock=clock) for _ in range(30)]
    for each in fleet:
        assert all(each.check("a").allowed for _ in range(5))  # simultaneously; the first of them on credit
        for _ in range(5):
            each.refund("a")
    assert sum(each.check("a").allowed for _ in range(5) for each in fleet) >= 60


def test_the_count_is_that_of_the_failures() -> None:
    """A caller that fails in another environment each time is refused after the limit, and not long before."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    fleet = [RateLimiter(per_minute=20, per_hour=None, block=1, store=store, clock=clock) for _ in range(4)]
    allowed = [fleet[n % 4].check("a").allowed for n in range(60)]
    assert 20 <= sum(allowed) <= 20 + len(fleet)


def test_what_is_more_than_a_block_goes_back_to_the_store() -> None:
    """Another environment can use the refund; when the store does not answer it stays counted, without an error."""
    clock = ManualClock()
    store = FaultyStore(MemoryStore(clock=clock))
    here = RateLimiter(per_minute=30, per_hour=None, block=2, store=store, clock=clock)
    there = RateLimiter(per_minute=30, per_hour=None, block=2, store=store, clock=clock)
    assert all(here.check("a").allowed for _ in range(30))
    assert not here.check("a").allowed
    for _ in range(20):
        here.refund("a")
    assert sum(there.check("a").allowed for _ in range(30)) in (18, 19)
    store.down = True
    for _ in range(5):
        here.refund("a")
    assert here.check("a").allowed
