"""Decides whether the counts are enough to open a circuit."""

from __future__ import annotations

from resilience.breaker.config import CircuitConfig
from resilience.breaker.window import Attributed, Counts


def reason_to_open(config: CircuitConfig, in_a_row: int, attributed_in_a_row: Attributed, counts: Counts) -> str:
    """Return the threshold that is reached as a reason of CircuitTransition; "" if none is.

    Args:
        config: The thresholds.
        in_a_row: Failures since the last success.
        attributed_in_a_row: Those of them that may be their callers' own doing.
        counts: The counts of the window.
    """
    if config.failure_threshold is not None:
        in_a_row -= _excused(config, attributed_in_a_row.count, len(attributed_in_a_row.callers))
        if in_a_row >= config.failure_threshold:
            return "failures"
    if config.failure_rate_threshold is not None:
        failures = counts.failures - _excused(config, counts.attributed, len(counts.callers))
        if _reached(config, failures, counts.successes + failures, config.failure_rate_threshold):
            return "failure_rate"
    if config.slow_call_seconds is not None:
        slow = counts.slow - _excused(config, counts.slow, len(counts.slow_callers))
        if slow and _reached(config, slow, counts.successes + counts.failures, config.slow_call_rate_threshold):
            return "slow_calls"
    return ""


def _reached(config: CircuitConfig, count: int, calls: int, rate: float) -> bool:
    return calls >= config.minimum_calls and count >= rate * calls


def _excused(config: CircuitConfig, count: int, callers: int) -> int:
    """Return how many of `count` attributed failures or slow calls to leave out: all if too few callers, else 0."""
    return 0 if callers >= config.minimum_callers or config.minimum_callers == 1 else count
