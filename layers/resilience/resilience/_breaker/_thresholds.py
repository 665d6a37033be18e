"""Whether what was counted is enough to open a circuit."""

from __future__ import annotations

from resilience._breaker._config import CircuitConfig
from resilience._breaker._window import Attributed, Counts


def reason_to_open(config: CircuitConfig, streak: int, own_streak: Attributed, counts: Counts) -> str:
    """The threshold that is reached, as in CircuitTransition; "" while none is.

    Args:
        config: The thresholds.
        streak: Failures since the last success.
        own_streak: Those of them that may be their callers' own doing.
        counts: The window.
    """
    if config.failure_threshold is not None:
        streak -= _excused(config, own_streak.count, len(own_streak.callers))
        if streak >= config.failure_threshold:
            return "failures"
    if config.failure_rate_threshold is not None:
        bad = counts.bad - _excused(config, counts.own, len(counts.own_callers))
        if _reached(config, bad, counts.good + bad, config.failure_rate_threshold):
            return "failure_rate"
    if config.slow_call_seconds is not None:
        slow = counts.slow - _excused(config, counts.slow, len(counts.slow_callers))
        if slow and _reached(config, slow, counts.good + counts.bad, config.slow_call_rate_threshold):
            return "slow_calls"
    return ""


def _reached(config: CircuitConfig, count: int, calls: int, rate: float) -> bool:
    return calls >= config.minimum_calls and count >= rate * calls


def _excused(config: CircuitConfig, count: int, callers: int) -> int:
    """How many of `count` failures that may be their callers' own doing count for neither side: all, or none."""
    return 0 if callers >= config.minimum_callers or config.minimum_callers == 1 else count
