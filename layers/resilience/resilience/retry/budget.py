"""The retry budget: limits retries to a share of the traffic, so that they do not multiply the load of an outage.

It is a token bucket. Every first try deposits `ratio` tokens, every retry takes one. The bucket starts with `floor`
tokens as an advance, which the first deposits repay. An infrequent caller would then wait long for the next token, so
`per_second` tokens are added over time. Over the life of a budget, retries are at most max(floor, ratio x calls) +
per_second x seconds.
"""

from __future__ import annotations

import threading

from resilience import _validation
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork


class RetryBudget:
    """A limit on retries in proportion to the traffic. Thread-safe; share one among the calls of one dependency.

    Args:
        ratio: Retries per call, default 0.1: at most 10 % of the traffic. Above 0, at most 1.
        floor: Retries allowed before there was any traffic, default 10; 0 or more.
        ceiling: Most tokens saved up in healthy times, default 10; at least 1 and at least floor. An outage begins with
            no more than these.
        per_second: Tokens added each second without any traffic, default 0.1: one every ten seconds; 0 or more.
        clock: Its monotonic clock measures the time for `per_second`.

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
        """Replace the lock in a forked child, which keeps a copy of the tokens."""
        self._lock = threading.Lock()

    def deposit(self) -> None:
        """Count a first try: repay the advance, or add `ratio` tokens."""
        # No lock while the advance is repaid, nor when the bucket is full, the normal case. Two threads at once may
        # lose a deposit, which only makes the budget stricter. Losing a withdrawal would make it laxer.
        if self._owed > 0:
            self._owed -= self._ratio
        elif self._tokens < self._ceiling:
            with self._lock:
                self._tokens = min(self._ceiling, self._tokens + self._ratio)

    def withdraw(self) -> bool:
        """Take the token of one retry; False when there is none, and the retry must not be made."""
        with self._lock:
            self._fill()
            if self._tokens < 1.0 - 1e-9:
                return False
            self._tokens -= 1.0
            return True

    def _fill(self) -> None:
        """Add the tokens for the time since the last `_fill`, so that `deposit` need not read the clock."""
        now = self._steady()
        came = max(0.0, now - self._filled_at) * self._per_second
        self._filled_at = now
        self._tokens = min(self._ceiling, self._tokens + came)

    @property
    def tokens(self) -> float:
        """Tokens now: how many retries could be made at once, with a fraction."""
        with self._lock:
            self._fill()
            return self._tokens

    @staticmethod
    def named(name: str) -> RetryBudget:
        """Return the budget of this name, created with the defaults on first use; use one name for each dependency."""
        budget = _named.get(name)
        if budget is None:
            budget = _named.setdefault(name, RetryBudget())
        return budget


_named: dict[str, RetryBudget] = {}
