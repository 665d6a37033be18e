"""Limits that raise."""

from __future__ import annotations

from resilience import (
    RateLimiter,
)
from resilience.testing import ManualClock


def test_limits_can_be_enforced(clock: ManualClock) -> None:
    """An allowed call returns the decision, and a refused one raises."""
    limiter = RateLimiter(per_minute=5, clock=clock)
    assert limiter.enforce("u").allowed
