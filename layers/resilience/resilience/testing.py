"""Helpers for tests that must not sleep: a clock driven by hand, and a switch that removes waits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from resilience import _sleep
from resilience._clock import Clock

__all__ = ["ManualClock", "no_wait", "set_testing"]


class ManualClock(Clock):
    """A wall clock and a monotonic clock that move only when the test moves them.

    Args:
        start: The wall clock's first reading, in Unix seconds. The monotonic clock starts at 1,000.
    """

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._wall = start
        self._steady = 1_000.0
        self.wall = lambda: self._wall
        self.steady = lambda: self._steady

    def advance(self, seconds: float) -> None:
        """Let some seconds pass on both clocks."""
        self._wall += seconds
        self._steady += seconds

    def step(self, seconds: float) -> None:
        """Step the wall clock forward, or back with a negative number, as time synchronization does; no time passes."""
        self._wall += seconds

    def freeze(self, seconds: float) -> None:
        """Let some seconds pass while Lambda has frozen the environment: only the wall clock moves."""
        self._wall += seconds


def set_testing(active: bool = True) -> None:
    """Switch every sleep of this package off or on again, in all threads of the process.

    That is: the waits between retries, the latency that `chaos` injects, and DynamoStore's random pause of up to 50 ms
    before it repeats a failed request. An async wait still lets other tasks run once. Timeouts, deadlines and waits for
    a free slot or for another caller's result are not affected.

    Args:
        active: True switches the sleeps off, False on again.
    """
    _sleep.skip(active)


@contextmanager
def no_wait() -> Iterator[list[float]]:
    """Switch every sleep of this package off inside the block, in all threads; see `set_testing`.

    Yields:
        A list that collects the seconds of the first 1,000 skipped sleeps, in order, including `chaos` latency (also
        0.0) and DynamoStore's pauses. There is one list for the process: entering the block clears it.
    """
    before = _sleep.skipping()
    _sleep.skip(True)
    waits = _sleep.recorded
    waits.clear()
    try:
        yield waits
    finally:
        _sleep.skip(before)
