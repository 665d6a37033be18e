"""The sliding window that failure and slow-call rates look at.

A few buckets of whole counts. The current bucket lives in the circuit, where the closed path counts without a lock: a
success that two threads count at once may be lost, which moves a rate by less than it matters. Failures are counted
under the circuit's lock and are never lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

_BUCKETS = 10

Callers = frozenset[str | None]


class Attributed:
    """Failures that may be their callers' own doing, and who those callers are.

    Args:
        enough: Distinct callers after which no more need to be remembered.
    """

    __slots__ = ("callers", "count", "enough")

    def __init__(self, enough: int) -> None:
        self.enough = enough
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.count = 0
        self.callers: Callers = frozenset()

    def add(self, caller: str | None) -> None:
        """Count one; calls without a caller count together, as one caller."""
        self.count += 1
        if len(self.callers) < self.enough:
            self.callers |= {caller}


class Counts(NamedTuple):
    """What happened in a bucket, or in several.

    Attributes:
        successes: Successes.
        failures: Failures, including those that may be their callers' own doing.
        slow: Slow calls, failed or not.
        attributed: Failures that may be their callers' own doing.
        callers: Who had them, as many as matter.
        slow_callers: Who had the slow calls, as many as matter.
    """

    successes: int = 0
    failures: int = 0
    slow: int = 0
    attributed: int = 0
    callers: Callers = frozenset()
    slow_callers: Callers = frozenset()


def total(counts: Iterable[Counts]) -> Counts:
    """Add up."""
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
    """The finished buckets of the last `seconds`."""

    __slots__ = ("_buckets", "_width", "since")

    def __init__(self, seconds: float) -> None:
        self._width = seconds / _BUCKETS
        self._buckets: deque[tuple[float, Counts]] = deque(maxlen=_BUCKETS)
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

    def push(self, now: float, counts: Counts) -> None:
        """Put the finished bucket away and begin the next one."""
        if now < self.since:
            # The clock went back: what is known keeps its place, a little younger than it is.
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
        """The finished buckets and the current one together."""
        return total((*(counts for _, counts in self._buckets), current))
