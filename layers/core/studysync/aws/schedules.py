"""Scheduled work that grows with the data: small steps, one after another, as long as time remains.

The next run continues with whatever is left, so no amount of work makes a run fail.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from studysync.db.client import database

RUN_SECONDS = 8.0
"""The time after which a run starts no further step. A step takes 5 s at most, and a function has 15."""


def end_of_run(clock: Callable[[], float] = time.monotonic) -> float:
    """Return the deadline for starting steps of a run that begins now, shared by all of its work."""
    return clock() + RUN_SECONDS


async def in_steps(
    step: Callable[[], Awaitable[bool]], *, until: float | None = None, clock: Callable[[], float] = time.monotonic
) -> None:
    """Await `step` until it returns False (nothing left), or until the deadline (default: of a run starting now)."""
    until = end_of_run(clock) if until is None else until
    while await step() and clock() < until:
        pass


async def purge(function: str, *, until: float | None = None) -> int:
    """Call the database's `function`, which deletes some thousand rows, until none are left or the run ends.

    Returns the number of deleted rows.
    """
    total = 0

    async def step() -> bool:
        nonlocal total
        purged: int = await database().call(function)
        total += purged
        return purged > 0

    await in_steps(step, until=until)
    return total
