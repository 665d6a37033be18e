"""What is measured of one name, and how it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from resilience.metrics.sketch import Sketch


@dataclass(frozen=True, slots=True)
class Performance:
    """The figures of one name. Times are in seconds.

    Attributes:
        name: What was measured.
        count: Calls.
        errors: Of them, those that raised.
        mean: Average time.
        p50: Half of the calls took less; p95, p99 likewise; each within 1 %.
        p95: See p50.
        p99: See p50.
        max: The longest call.
        slow: Calls over the threshold.
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
    """A call over the threshold.

    Attributes:
        name: What was called, as named by the caller: a route template, never an id.
        seconds: How long it took.
        at: Unix second at which it ended.
        failed: Whether it raised.
        detail: What the caller said of this one, such as the id of a request to find it by; "" for nothing.
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
        """The figures."""
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
        """The tally as JSON."""
        return {"e": self.errors, "s": self.slow, "h": self.sketch.dump()}

    @classmethod
    def load(cls, stored: dict[str, Any]) -> Tally:
        """The tally from JSON."""
        tally = cls()
        tally.errors, tally.slow = int(stored["e"]), int(stored["s"])
        tally.sketch = Sketch.load(stored["h"])
        return tally
