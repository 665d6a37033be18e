"""A limiter that counts only what failed: calls that went well are given back."""

from __future__ import annotations

from resilience import MemoryStore, RateLimiter
from resilience.testing import ManualClock


def limiter(clock: ManualClock, store: MemoryStore | None = None) -> RateLimiter:
    return RateLimiter(per_minute=10, per_hour=None, store=store or MemoryStore(clock=clock), clock=clock)


def test_what_is_given_back_does_not_count() -> None:
    """A thousand calls that went well leave the whole limit to those that fail."""
    limits = limiter(ManualClock())
    for _ in range(1000):
        assert limits.check("a").allowed
        limits.give_back("a")
    assert [limits.check("a").allowed for _ in range(11)] == [True] * 10 + [False]


def test_another_environment_is_not_given_more() -> None:
    """What this one has back is its own: together they stay at the limit and each one's first call on credit."""
    clock = ManualClock()
    store = MemoryStore(clock=clock)
    here, there = limiter(clock, store), limiter(clock, store)
    for _ in range(20):
        here.check("a")
        here.give_back("a")
    assert sum(each.check("a").allowed for _ in range(30) for each in (here, there)) <= 11


def test_nothing_comes_back_of_a_window_that_has_ended() -> None:
    """A call of the last minute makes no room in this one."""
    clock = ManualClock()
    limits = limiter(clock)
    limits.check("a")
    clock.advance(60)
    limits.give_back("a")
    assert [limits.check("a").allowed for _ in range(11)] == [True] * 10 + [False]
