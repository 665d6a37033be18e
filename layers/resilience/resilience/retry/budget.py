"""The retry budget: retries are a share of the traffic, so that an outage is not multiplied by those who retry.

A token bucket. Every first try pays in `ratio` tokens, every retry takes one. It starts with `floor` tokens as an
advance, and the first payments make up for it: over any life of the budget, retries are at most max(floor, ratio x
calls).
"""

from __future__ import annotations

import threading

from resilience import _validation
from resilience._fork import renew_in_child


class RetryBudget:
    """How many retries the traffic can afford. Safe for threads; share one among calls of one dependency.

    Args:
        ratio: Retries a call, default 0.1: at most 10 % of the traffic. Above 0, at most 1.
        floor: Retries allowed before there was any traffic, default 10; 0 or more.
        ceiling: Most tokens kept from healthy times, default 10; at least floor. An outage after a quiet day begins
            with no more than these.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    def __init__(self, ratio: float = 0.1, *, floor: int = 10, ceiling: int = 10) -> None:
        self._ratio = _validation.share("ratio", ratio)
        self._floor = _validation.whole("floor", floor, least=0)
        self._ceiling = _validation.whole("ceiling", ceiling, least=max(1, floor))
        self._tokens = float(floor)
        self._owed = float(floor)
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """See Renewable."""
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """Count a first try."""
        # No lock while the advance is paid back, nor when the bucket is full, as it is while all is well: two threads
        # at once may lose one payment, which only makes the budget stricter. A lost withdrawal would not.
        if self._owed > 0:
            self._owed -= self._ratio
        elif self._tokens < self._ceiling:
            with self._lock:
                self._tokens = min(self._ceiling, self._tokens + self._ratio)

    def withdraw(self) -> bool:
        """Take a retry's token; False when there is none, and the retry must not be made."""
        with self._lock:
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens -= 1.0
            return True

    @property
    def tokens(self) -> float:
        """Retries that could be made now."""
        return self._tokens
