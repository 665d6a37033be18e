"""Runs work that may block without holding up the caller.

Async code reaches a blocking store through a thread, plain code calls it directly. Blocking work that nobody waits for
runs in a few threads as well. Nothing relies on such a thread making progress between invocations: Lambda freezes it
with the rest of the process, and it continues in the next invocation. `flush` waits for what is in progress at the end
of one.
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
# Callers' code has its own pool ("work"): if it hangs, circuits still reach their store.
_workers: Final = {
    "store": DaemonThreadPool("resilience-store", 16),
    "work": DaemonThreadPool("resilience-work", 8),
}


class _UnderWay:
    """Background work in progress that no caller waits for."""

    def __init__(self) -> None:
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Forget the work in progress in a forked child: it runs in the parent."""
        self.futures: set[Future[Any]] = set()
        self.tasks: set[asyncio.Task[Any]] = set()


_under_way: Final = _UnderWay()


def submit(work: Callable[[], object], *, blocking: bool, kind: str = "store") -> None:
    """Do the work without making the caller wait: in a thread if it may block, else directly.

    Failure policy: an Exception that it raises is logged as a warning and ignored.

    Args:
        work: What to do; its result is dropped.
        blocking: Whether it may block.
        kind: The pool that runs it: "store" for requests to the store, "work" for callers' code.
    """
    if not blocking:
        _guarded(work)
        return
    futures = _under_way.futures
    future = _workers[kind].submit(lambda: _guarded(work))
    futures.add(future)
    future.add_done_callback(futures.discard)


async def run(work: Callable[[], T], *, blocking: bool, unclaimed: Callable[[T], object] | None = None) -> T:
    """Do the work and return its result without blocking the event loop.

    If the caller is cancelled, the work still runs to its end. So all its side effects must happen inside `work`, and a
    result that no caller receives is passed to `unclaimed`.

    Args:
        work: What to do.
        blocking: Whether it may block; if so, it runs in a thread.
        unclaimed: Called with the result, from any thread, if the caller was cancelled and the work succeeded.
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
    """Keep a reference to a task that nobody waits for until it is done, so that `settle` can wait for it."""
    tasks = _under_way.tasks
    tasks.add(task)
    task.add_done_callback(tasks.discard)


def settle(loop: asyncio.AbstractEventLoop, timeout: float) -> bool:
    """Run a stopped event loop until its tracked tasks are done.

    Returns:
        True when all of them ended within timeout seconds.
    """
    waiting = [task for task in _under_way.tasks if task.get_loop() is loop]
    if not waiting:
        return True
    return not loop.run_until_complete(asyncio.wait(waiting, timeout=timeout))[1]


def drain(timeout: float | None) -> bool:
    """Wait for the work that `submit` handed to threads.

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


# Daemon threads are killed when the process exits; this gives their pending writes time to finish.
atexit.register(drain, _EXIT_SECONDS)
