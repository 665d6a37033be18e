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
_QUESTION_SECONDS = 5.0
"""As long as a call to the database may take; a question that is older was frozen in between."""
_SLICE_SECONDS = 0.05


class Contact:
    """What this environment knows of the database, and the one question that is under way.

    A question goes on when who asked has lost patience: however slow it is to connect, the next one finds it done.

    Args:
        clock: a steady clock in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._asked_at = self._began_at = float("-inf")
        self._question: asyncio.Task[None] | None = None

    def forget(self) -> None:
        """Be new again: a copy of this environment has connections of its own to make."""
        if self._question is not None and not self._question.get_loop().is_closed():
            self._question.cancel()
        self._question, self._asked_at = None, float("-inf")

    async def ask(self, seconds: float) -> None:
        """Come back when the database answers; see `ask_database`."""
        now = self._clock()
        left = seconds if now - self._asked_at < _IDLE_SECONDS else max(seconds, FIRST_CONTACT_SECONDS)
        question, self._asked_at = self._under_way(now), now
        # Counted in slices that this process has really had: on a machine that is too busy to let it run, the answer
        # may be here long before anybody has had the time to look.
        while left > 0 and not question.done():
            await asyncio.wait({question}, timeout=min(left, _SLICE_SECONDS))
            left -= _SLICE_SECONDS
        if not question.done():
            raise TimeoutError
        question.result()

    def _under_way(self, now: float) -> asyncio.Task[None]:
        question = self._question
        if question is not None and (question.done() or question.get_loop() is not asyncio.get_running_loop()):
            question = None
        if question is not None and now - self._began_at > _QUESTION_SECONDS:
            question.cancel()
            question = None
        if question is None:
            question = self._question = asyncio.get_running_loop().create_task(_ping())
            question.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # somebody need not ask for it
            self._began_at = now
        return question


async def _ping() -> None:
    await database().call("ping")


contact = Contact()


async def ask_database(seconds: float) -> None:
    """Return once the database answers.

    If the database was not called in the last half minute this may take longer: the environment has to connect, on a
    processor that may be busy.

    Args:
        seconds: the timeout.

    Raises:
        TimeoutError: it took longer.
        ApiError: it does not answer.
    """
    await contact.ask(seconds)


async def require_database() -> None:
    """Return once the database answers.

    Raises:
        ApiError: SERVICE_UNAVAILABLE, it does not answer in time.
    """
    try:
        await ask_database(READINESS_SECONDS)
    except (TimeoutError, ApiError) as error:
        raise unavailable("The database cannot be reached.") from error


snapstart.on_restore(contact.forget)
