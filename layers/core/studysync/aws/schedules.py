"""Work of schedules that grows with the data: one small step after another, for as long as there is time.

Whatever is left is taken up by the next run, so that no amount of it ever makes a run fail.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from studysync.db.client import database

RUN_SECONDS = 8.0
"""When the last step of a run may begin. A step takes 5 s at most, and a function has 15."""


def end_of_run(clock: Callable[[], float] = time.monotonic) -> float:
    """Return when the last step of a run that begins now may begin; one for all that the run does."""
    return clock() + RUN_SECONDS


async def in_steps(
    step: Callable[[], Awaitable[bool]], *, until: float | None = None, clock: Callable[[], float] = time.monotonic
) -> None:
    """Await `step` until it says that nothing is left (``False``), or until the end of the run, default from now."""
    until = end_of_run(clock) if until is None else until
    while await step() and clock() < until:
        pass


async def purge(function: str, *, until: float | None = None) -> int:
    """Call `function` of the database, which deletes some thousand rows, until none is left or the run ends.

    Returns how many went.
    """
    total = 0

    async def step() -> bool:
        nonlocal total
        purged: int = await database().call(function)
        total += purged
        return purged > 0

    await in_steps(step, until=until)
    return total
