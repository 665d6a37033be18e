"""Waiting no longer than a total deadline, whatever the network does."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerError
from typing import Final, TypeVar

from resilience._thread_pool import DaemonThreadPool

T = TypeVar("T")
_TICKS: Final = 20
_LONGEST_TICKS: Final = 4
"""What one wait counts for at most, in ticks, however long it was."""
# More than ever ask at once: whoever waits for one of them is a thread itself.
_THREADS: Final = 1_000


class TimeLimiter:
    """Runs requests in threads, and stops waiting for them when their time is over.

    Clients know timeouts for a connection and for each read. An answer that drips, a name that is not resolved,
    credentials that are looked for on the network and addresses that are tried one after another all take longer.

    Args:
        name: Begins the threads' names.
        deadline: Seconds for a request in all.
    """

    def __init__(self, name: str, deadline: float) -> None:
        self.deadline = deadline
        self._workers = DaemonThreadPool(name, _THREADS, idle_seconds=10.0)

    def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread and wait for it; raises TimeoutError when its time is over.

        The time is waited in ticks: a process that is stopped or frozen meanwhile loses a few of them and not all, and
        then finds the answer that came.
        """
        future: Future[T] = self._workers.submit(work)
        tick, left = self.deadline / _TICKS, self.deadline
        while left > 0:
            began = time.monotonic()
            try:
                return future.result(min(tick, left))
            except NoAnswerError:
                if future.done():
                    break
            left -= min(time.monotonic() - began, _LONGEST_TICKS * tick)
        if future.done():
            return future.result()
        raise TimeoutError(f"no answer within {self.deadline:g} s")
