"""A thread pool for work that may block.

Unlike those of `concurrent.futures`, its threads are daemons: work that hangs does not keep the process from exiting.
They start when needed, and a forked child starts without threads.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from resilience._fork import register_after_fork

T = TypeVar("T")
_Job = tuple["Future[Any]", Callable[[], Any]]


class DaemonThreadPool:
    """Runs submitted work in threads, started in the order of submission.

    Args:
        name: Prefix of the threads' names.
        most: Most threads at once; further work waits in a queue.
        idle_seconds: A thread that was idle for this long ends. Default 60.0.
    """

    def __init__(self, name: str, most: int, *, idle_seconds: float = 60.0) -> None:
        self._name, self._most, self._idle_seconds = name, most, idle_seconds
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Start empty in a forked child: the parent's threads do not exist there."""
        self._ready = threading.Condition(threading.Lock())
        self._jobs: deque[_Job] = deque()
        self._idle = self._threads = 0

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run work in a thread and return a future for its result."""
        future: Future[T] = Future()
        with self._ready:
            self._jobs.append((future, work))
            if len(self._jobs) > self._idle and self._threads < self._most:
                self._threads += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()
            else:
                self._ready.notify()
        return future

    def _work(self) -> None:
        while (job := self._next()) is not None:
            future, work = job
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - it belongs to the caller that waits
                    future.set_exception(error)
            del job, future, work

    def _next(self) -> _Job | None:
        with self._ready:
            while not self._jobs:
                self._idle += 1
                woken = self._ready.wait(self._idle_seconds)
                self._idle -= 1
                if not woken and not self._jobs:
                    self._threads -= 1
                    return None
            return self._jobs.popleft()
