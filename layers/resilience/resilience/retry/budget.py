"""The retry budget: retries are a share of the traffic, so that an outage is not multiplied by those who retry.

A token bucket. Every first try pays in `ratio` tokens, every retry takes one. It starts with `floor` tokens as an
advance, and the first payments make up for it; and because an infrequent caller would then wait long for the next, a
few tokens are added over time. Over the life of a budget, retries are at most max(floor, ratio x calls) + per_second x
seconds.
"""

from __future__ import annotations

import threading

from resilience import _validation
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork


class RetryBudget:
    """How many retries the traffic can afford. Safe for threads; share one among calls of one dependency.

    Args:
        ratio: Retries per call, default 0.1: at most 10 % of the traffic. Above 0, at most 1.
        floor: Retries allowed before there was any traffic, default 10; 0 or more.
        ceiling: Most tokens kept from healthy times, default 10; at least floor. An outage after a quiet day begins
            with no more than these.
        per_second: Tokens that come without any traffic, default 0.1: one in ten seconds; 0 or more.
        clock: Its steady clock times them.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    def __init__(
        self,
        ratio: float = 0.1,
        *,
        floor: int = 10,
        ceiling: int = 10,
        per_second: float = 0.1,
        clock: Clock = SYSTEM,
    ) -> None:
        self._ratio = _validation.share("ratio", ratio)
        self._floor = _validation.whole("floor", floor, least=0)
        self._ceiling = _validation.whole("ceiling", ceiling, least=max(1, floor))
        self._per_second, self._steady = _validation.number("per_second", per_second), clock.steady
        self._filled_at = self._steady()
        self._tokens = float(floor)
        self._owed = float(floor)
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware."""
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
            self._fill()
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens -= 1.0
            return True

    def _fill(self) -> None:
        """Add the tokens of the time since the last retry; `deposit` needs no clock for it."""
        now = self._steady()
        came = max(0.0, now - self._filled_at) * self._per_second
        self._filled_at = now
        self._tokens = min(self._ceiling, self._tokens + came)

    @property
    def tokens(self) -> float:
        """Retries that could be made now."""
        with self._lock:
            self._fill()
            return self._tokens

    @staticmethod
    def named(name: str) -> RetryBudget:
        """The budget of this name, made with the defaults when first asked for: one for each dependency."""
        budget = _named.get(name)
        if budget is None:
            budget = _named.setdefault(name, RetryBudget())
        return budget


_named: dict[str, RetryBudget] = {}
