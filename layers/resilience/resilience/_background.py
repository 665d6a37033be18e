"""Runs work that may block without holding up the caller.

A store that blocks is reached from an event loop through a thread, and from plain code directly. Work that nobody has
to wait for goes to the same few threads. Nothing relies on such a thread making progress by itself: Lambda freezes it
with everything else, and it goes on in the next invocation; `flush` waits for what is under way at the end of one.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, Final, TypeVar

from resilience._fork import register_after_fork
from resilience._thread_pool import DaemonThreadPool

T = TypeVar("T")
logger = logging.getLogger("resilience")

_EXIT_SECONDS: Final = 1.0
# A separate pool, so that callers' code that hangs never keeps a circuit from its store.
_workers: Final = {
    "store": DaemonThreadPool("resilience-store", 16),
    "work": DaemonThreadPool("resilience-work", 8),
}


class _UnderWay:
    """Work that nobody waits for."""

    def __init__(self) -> None:
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware: the parent's work is the parent's."""
        self.futures: set[Future[Any]] = set()
        self.tasks: set[asyncio.Task[Any]] = set()


_under_way: Final = _UnderWay()


def submit(work: Callable[[], object], *, blocking: bool, kind: str = "store") -> None:
    """Do the work without making the caller wait: in a thread when it may block, directly when it cannot."""
    if not blocking:
        _guarded(work)
        return
    futures = _under_way.futures
    future = _workers[kind].submit(lambda: _guarded(work))
    futures.add(future)
    future.add_done_callback(futures.discard)


async def run(work: Callable[[], T], *, blocking: bool, unclaimed: Callable[[T], object] | None = None) -> T:
    """Do the work and wait for its answer without blocking the event loop.

    A caller that is cancelled leaves the work to finish: whatever it changes, it must change inside `work`, and what
    nobody waits for any more is handed to `unclaimed`.
    """
    if not blocking:
        return work()
    future = _workers["store"].submit(work)
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError:
        if unclaimed is not None:
            claim = unclaimed
            future.add_done_callback(lambda done: None if done.exception() else claim(done.result()))
        raise


def track(task: asyncio.Task[Any]) -> None:
    """Remember a task that nobody waits for until it is done; `settle` may wait for it."""
    tasks = _under_way.tasks
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def settle(loop: asyncio.AbstractEventLoop, timeout: float) -> bool:
    """Run a loop that stands still until background work is done; False when some is still in progress."""
    waiting = [task for task in _under_way.tasks if task.get_loop() is loop]
    if not waiting:
        return True
    return not loop.run_until_complete(asyncio.wait(waiting, timeout=timeout))[1]


def drain(timeout: float | None) -> bool:
    """Wait for what `submit` started.

    Returns:
        True when all of it ended within timeout seconds (None waits without limit).
    """
    waiting = set(_under_way.futures)
    return not waiting or not wait(waiting, timeout).not_done


def _guarded(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        logger.warning("work in the background failed", exc_info=True)


# Daemon threads end with the process, but their pending writes must not be lost.
atexit.register(drain, _EXIT_SECONDS)
