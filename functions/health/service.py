"""Whether the service can handle requests.

Failure policy: a load balancer has its answer within 300 ms, whatever hangs. An environment that has to connect first
(new, restored, or idle for so long that its connection is gone) gets more time, so that this does not look like an
outage.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from studysync.aws import snapstart
from studysync.db.client import database
from studysync.errors import ApiError, unavailable

READINESS_SECONDS = 0.2
FIRST_CONTACT_SECONDS = 4.0
_IDLE_SECONDS = 30.0
_CALL_SECONDS = 5.0
"""The maximum duration of a database call; the process was frozen during a ping that is older."""
_SLICE_SECONDS = 0.05


class DatabasePing:
    """Pings the database, with a single ping at a time for all callers.

    A ping continues after its caller times out, so that the next caller benefits from it, however slow connecting is.

    Args:
        clock: a steady clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._called_at = self._began_at = float("-inf")
        self._task: asyncio.Task[None] | None = None

    def reset(self) -> None:
        """Start over: a restored copy of this environment has to open its own connections."""
        if self._task is not None and not self._task.get_loop().is_closed():
            self._task.cancel()
        self._task, self._called_at = None, float("-inf")

    async def wait(self, seconds: float) -> None:
        """Return once the database answers; see `ping_database`."""
        now = self._clock()
        left = seconds if now - self._called_at < _IDLE_SECONDS else max(seconds, FIRST_CONTACT_SECONDS)
        task, self._called_at = self._under_way(now), now
        # Measured in slices in which this process really ran: on a busy machine, the answer may have arrived
        # long before the process gets to look.
        while left > 0 and not task.done():
            await asyncio.wait({task}, timeout=min(left, _SLICE_SECONDS))
            left -= _SLICE_SECONDS
        if not task.done():
            raise TimeoutError
        task.result()

    def _under_way(self, now: float) -> asyncio.Task[None]:
        task = self._task
        if task is not None and (task.done() or task.get_loop() is not asyncio.get_running_loop()):
            task = None
        if task is not None and now - self._began_at > _CALL_SECONDS:
            task.cancel()
            task = None
        if task is None:
            task = self._task = asyncio.get_running_loop().create_task(_ping())
            # Retrieve the exception, in case no caller does.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._began_at = now
        return task


async def _ping() -> None:
    await database().call("ping")


ping = DatabasePing()


async def ping_database(seconds: float) -> None:
    """Return once the database answers.

    If the database was not called in the last half minute this may take longer: the environment has to connect, on a
    processor that may be busy.

    Args:
        seconds: the timeout.

    Raises:
        TimeoutError: it took longer.
        ApiError: it does not answer.
    """
    await ping.wait(seconds)


async def require_database() -> None:
    """Return once the database answers.

    Raises:
        ApiError: SERVICE_UNAVAILABLE, it does not answer in time.
    """
    try:
        await ping_database(READINESS_SECONDS)
    except (TimeoutError, ApiError) as error:
        raise unavailable("The database cannot be reached.") from error


snapstart.on_restore(ping.reset)
