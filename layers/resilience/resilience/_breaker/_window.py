"""The sliding window that failure and slow-call rates look at.

A few buckets of whole counts. The current bucket lives in the circuit, where the closed path counts without a lock: a
success that two threads count at once may be lost, which moves a rate by less than it matters. Failures are counted
under the circuit's lock and are never lost.
"""

from __future__ import annotations

from collections import deque

_BUCKETS = 10


class Window:
    """The finished buckets of the last `seconds`."""

    __slots__ = ("_buckets", "_width", "since")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / _BUCKETS
        self._buckets: deque[tuple[float, int, int, int]] = deque(maxlen=_BUCKETS)
        self.since = 0.0

    def clear(self, now: float) -> None:
        """Forget everything and begin a bucket."""
        self._buckets.clear()
        self.since = now

    def over(self, now: float) -> bool:
        """Whether the current bucket ended, or the wall clock stepped back behind its beginning."""
        return not self.since <= now < self.since + self._width

    def ends(self) -> float:
        """When the current bucket ends."""
        return self.since + self._width

    def push(self, now: float, good: int, bad: int, slow: int) -> None:
        """Put the finished bucket away and begin the next one."""
        if now < self.since:
            # The clock went back: what is known keeps its place, a little younger than it is.
            shift = self.since - now
            self._buckets = deque(((t - shift, g, b, s) for t, g, b, s in self._buckets), maxlen=_BUCKETS)
            self.since = now
        if good or bad:
            self._buckets.append((self.since, good, bad, slow))
        self.since = now
        oldest = now - self._width * _BUCKETS
        while self._buckets and self._buckets[0][0] <= oldest:
            self._buckets.popleft()

    def totals(self) -> tuple[int, int, int]:
        """Successes, failures and slow calls in the finished buckets."""
        good = bad = slow = 0
        for _, g, b, s in self._buckets:
            good, bad, slow = good + g, bad + b, slow + s
        return good, bad, slow
