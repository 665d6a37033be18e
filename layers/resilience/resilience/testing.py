"""What tests need so that they never sleep: a clock driven by hand, and a switch that removes waiting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from resilience import _sleep
from resilience._clock import Clock

__all__ = ["ManualClock", "no_wait", "set_testing"]


class ManualClock(Clock):
    """A clock that moves only when the test moves it.

    Args:
        start: The wall clock's first reading, in Unix seconds.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._wall = start
        self._steady = 1_000.0
        self.wall = lambda: self._wall
        self.steady = lambda: self._steady

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self._wall += seconds
        self._steady += seconds

    def step(self, seconds: float) -> None:
        """Set the wall clock forward, or back with a negative number, as a time server does; no time passes."""
        self._wall += seconds

    def freeze(self, seconds: float) -> None:
        """Let time pass while the environment is frozen: only the wall clock notices."""
        self._wall += seconds


def set_testing(active: bool = True) -> None:
    """Remove (or bring back) every wait between retries, in the whole process."""
    _sleep.skip(active)


@contextmanager
def no_wait() -> Iterator[list[float]]:
    """Remove every wait between retries inside the block.

    Yields:
        A list that collects the seconds which would have been waited, in order.
    """
    before = _sleep.skipping()
    _sleep.skip(True)
    waits = _sleep.recorded
    waits.clear()
    try:
        yield waits
    finally:
        _sleep.skip(before)
