"""Time and randomness as arguments: a wall clock that environments share, and a monotonic clock for durations.

A wall clock can step, and a monotonic clock can stop while Lambda freezes an environment. Each part says which of the
two it uses for what.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable


class Clock:
    """A wall clock and a monotonic clock; tests pass `resilience.testing.ManualClock` instead.

    Attributes:
        wall: Returns the Unix time in seconds.
        steady: Returns the seconds of the monotonic clock, which have no fixed origin.
    """

    wall: Callable[[], float] = staticmethod(time.time)
    steady: Callable[[], float] = staticmethod(time.monotonic)


SYSTEM = Clock()


def chance() -> float:
    """Return a random number, at least 0 and below 1, from the operating system.

    A generator seeded in memory would repeat its numbers in every copy that is restored from one snapshot.
    """
    return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53
