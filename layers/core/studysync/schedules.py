"""Work of schedules that grows with the data: one small step after another, for as long as there is time.

Whatever is left is taken up by the next run, so that no amount of it ever makes a run fail.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from studysync.database import database

RUN_SECONDS = 8.0
"""When the last step of a run may begin. A step takes 5 s at most, and a function has 15."""


async def in_steps(step: Callable[[], Awaitable[bool]], *, clock: Callable[[], float] = time.monotonic) -> None:
    """Await `step` until it says that nothing is left (``False``), or for `RUN_SECONDS`."""
    until = clock() + RUN_SECONDS
    while await step() and clock() < until:
        pass


async def purge(function: str) -> int:
    """Call `function` of the database, which deletes some thousand rows, until none is left. Returns how many went."""
    total = 0

    async def step() -> bool:
        nonlocal total
        purged: int = await database().call(function)
        total += purged
        return purged > 0

    await in_steps(step)
    return total
