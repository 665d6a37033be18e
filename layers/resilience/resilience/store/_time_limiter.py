"""Limits the wait for a request to a total deadline, whatever the network does."""

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
"""How much one wait takes from the deadline at most, in ticks, however long it lasted."""
# More than are ever busy at once: each has a waiting caller, which is a thread of this process too.
_THREADS: Final = 1_000


class TimeLimiter:
    """Runs requests in threads and stops waiting for one when its deadline has passed.

    Client libraries only limit connecting and each single read. An answer that trickles in, a name that does not
    resolve, credentials that are fetched over the network, and addresses that are tried in turn can all take longer.

    Args:
        name: Prefix of the threads' names.
        deadline: Total seconds for a request.
    """

    def __init__(self, name: str, deadline: float) -> None:
        self.deadline = deadline
        self._workers = DaemonThreadPool(name, _THREADS, idle_seconds=10.0)

    def run(self, work: Callable[[], T]) -> T:
        """Do the work in a thread, wait for it and return its result; the thread goes on if the wait ends first.

        The wait is split into ticks, so that a process that is stopped or frozen meanwhile loses only a few of them and
        still finds the answer that arrived.

        Raises:
            TimeoutError: The deadline has passed. Errors of `work` are raised unchanged.
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
