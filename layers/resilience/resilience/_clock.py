"""Time and randomness as arguments: a wall clock that environments share, and a steady one for durations.

A wall clock can step, and a steady clock can stand still while Lambda freezes an environment. Each part says which of
the two it uses for what.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable


class Clock:
    """A wall clock and a steady clock, both in seconds; tests pass `resilience.testing.ManualClock` instead."""

    wall: Callable[[], float] = staticmethod(time.time)
    steady: Callable[[], float] = staticmethod(time.monotonic)


SYSTEM = Clock()


def chance() -> float:
    """A random number from 0 up to 1, straight from the system: never the same in two copies of a restored memory."""
    return (int.from_bytes(os.urandom(7), "big") >> 3) * 2.0**-53
