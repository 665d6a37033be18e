"""The sliding window for the failure rate and the slow-call rate.

It is ten buckets of counts. The current bucket lives in the circuit, where the fast path counts without a lock: when
two threads count a success at the same moment, one may be lost, which is too little to matter for a rate. Failures are
counted under the circuit's lock and are never lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

_BUCKETS = 10

Callers = frozenset[str | None]


class Attributed:
    """A count of calls, failed or slow, that may be their callers' own doing, and the set of those callers.

    Args:
        enough: Number of distinct callers after which no more are remembered.
    """

    __slots__ = ("callers", "count", "enough")

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.clear()

    def clear(self) -> None:
        """Set the count to 0 and forget the callers."""
        self.count = 0
        self.callers: Callers = frozenset()

    def add(self, caller: str | None) -> None:
        """Count one call; all calls without a caller (None) count as one caller."""
        self.count += 1
        if len(self.callers) < self.enough:
            self.callers |= {caller}


class Counts(NamedTuple):
    """The counts of one bucket, or of several.

    Attributes:
        successes: Calls that succeeded.
        failures: Calls that failed, including those in `attributed`.
        slow: Slow calls, failed or not.
        attributed: Failures that may be their callers' own doing.
        callers: The callers of the attributed failures; of each bucket at most `minimum_callers`.
        slow_callers: The callers of the slow calls; of each bucket at most `minimum_callers`.
    """

    successes: int = 0
    failures: int = 0
    slow: int = 0
    attributed: int = 0
    callers: Callers = frozenset()
    slow_callers: Callers = frozenset()


def total(counts: Iterable[Counts]) -> Counts:
    """Return the sums of the counts and the unions of the callers."""
    successes = failures = slow = attributed = 0
    callers: Callers = frozenset()
    slow_callers: Callers = frozenset()
    for each in counts:
        successes, failures, slow = successes + each.successes, failures + each.failures, slow + each.slow
        attributed, callers, slow_callers = (
            attributed + each.attributed,
            callers | each.callers,
            slow_callers | each.slow_callers,
        )
    return Counts(successes, failures, slow, attributed, callers, slow_callers)


class Window:
    """The finished buckets of the last `seconds` seconds; all times are Unix seconds."""

    __slots__ = ("_buckets", "_width", "since")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / _BUCKETS
        self._buckets: deque[tuple[float, Counts]] = deque(maxlen=_BUCKETS)
        self.since = 0.0

    def clear(self, now: float) -> None:
        """Drop all buckets and begin a new one."""
        self._buckets.clear()
        self.since = now

    def over(self, now: float) -> bool:
        """Return whether the current bucket has ended, or the wall clock was set back to before its beginning."""
        return not self.since <= now < self.since + self._width

    def ends(self) -> float:
        """Return when the current bucket ends."""
        return self.since + self._width

    def push(self, now: float, counts: Counts) -> None:
        """Store the finished bucket, begin the next one, and drop the buckets that have left the window."""
        if now < self.since:
            # The wall clock was set back. Shift the buckets with it; they then seem a little younger than they are.
            shift = self.since - now
            self._buckets = deque(((since - shift, each) for since, each in self._buckets), maxlen=_BUCKETS)
            self.since = now
        if counts.successes or counts.failures:
            self._buckets.append((self.since, counts))
        self.since = now
        oldest = now - self._width * _BUCKETS
        while self._buckets and self._buckets[0][0] <= oldest:
            self._buckets.popleft()

    def totals(self, current: Counts) -> Counts:
        """Return the sum of the finished buckets and the current one."""
        return total((*(counts for _, counts in self._buckets), current))
