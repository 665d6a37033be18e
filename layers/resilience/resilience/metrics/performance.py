"""The counts recorded for one name, and the figures reported from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from resilience.metrics.sketch import Sketch


@dataclass(frozen=True, slots=True)
class Performance:
    """The figures of one name. Times are in seconds.

    Attributes:
        name: What was measured.
        count: Number of calls.
        errors: Number of calls that failed.
        mean: Average duration; exact.
        p50: Median duration, within 1 %.
        p95: 95th percentile of the duration, within 1 %.
        p99: 99th percentile of the duration, within 1 %.
        max: Longest duration.
        slow: Number of calls over the monitor's slow_seconds.
    """

    name: str
    count: int
    errors: int
    mean: float
    p50: float
    p95: float
    p99: float
    max: float
    slow: int


class SlowCall(NamedTuple):
    """A call over the monitor's slow_seconds.

    Attributes:
        name: What was called, as named by the caller: a route template, never an id.
        seconds: How long it took.
        at: Unix second at which it ended.
        failed: Whether it failed.
        detail: The caller's note on this call, such as a request id to find it by; "" for nothing.
    """

    name: str
    seconds: float
    at: float
    failed: bool
    detail: str = ""


class Tally:
    """The counts of one name."""

    __slots__ = ("errors", "sketch", "slow")

    def __init__(self) -> None:
        self.sketch = Sketch()
        self.errors = self.slow = 0

    def merge(self, other: Tally) -> None:
        """Add another tally's counts."""
        self.sketch.merge(other.sketch)
        self.errors += other.errors
        self.slow += other.slow

    def show(self, name: str) -> Performance:
        """Return the figures to report under a name."""
        sketch = self.sketch
        return Performance(
            name=name,
            count=sketch.count,
            errors=self.errors,
            mean=sketch.mean(),
            p50=sketch.quantile(0.50),
            p95=sketch.quantile(0.95),
            p99=sketch.quantile(0.99),
            max=sketch.largest,
            slow=self.slow,
        )

    def dump(self) -> dict[str, Any]:
        """Return the tally as values for JSON."""
        return {"e": self.errors, "s": self.slow, "h": self.sketch.dump()}

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Tally:
        """Return the tally that `dump` stored."""
        tally = cls()
        tally.errors, tally.slow = int(stored["e"]), int(stored["s"])
        tally.sketch = Sketch.load(stored["h"])
        return tally
