"""How work that may block gets off the caller's way.

A store that blocks is reached from an event loop through a thread, and from plain code directly. Work that nobody has
to wait for goes to the same few threads. Nothing relies on such a thread making progress by itself: Lambda freezes it
with everything else, and it goes on in the next invocation; `flush` waits for what is under way at the end of one.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future, ThreadPoolExecutor

T = TypeVar("T")
logger = logging.getLogger("resilience")

_THREADS = 4
_lock = threading.Lock()
_executors: dict[str, ThreadPoolExecutor] = {}
_pending: set[Future[Any]] = set()
_tasks: set[asyncio.Task[Any]] = set()


def executor(kind: str = "store") -> ThreadPoolExecutor:
    """A few threads of the package's own, started when first needed: one pool for the store, another for callers' code.

    Two, so that callers' code that hangs never keeps a circuit from its store.
    """
    found = _executors.get(kind)
    if found is None:
        from concurrent.futures import ThreadPoolExecutor

        with _lock:
            found = _executors.get(kind)
            if found is None:  # pragma: no branch - two threads at the same moment
                found = _executors[kind] = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"resilience-{kind}")
    return found


def soon(work: Callable[[], object], *, blocking: bool, kind: str = "store") -> None:
    """Do the work without making the caller wait: in a thread when it may block, at once when it cannot."""
    if not blocking:
        _guarded(work)
        return
    future = executor(kind).submit(_guarded, work)
    _pending.add(future)
    future.add_done_callback(_pending.discard)


async def run(work: Callable[[], T], *, blocking: bool, unclaimed: Callable[[T], object] | None = None) -> T:
    """Do the work and wait for its answer without blocking the event loop.

    A caller that is cancelled leaves the work to finish: whatever it changes, it must change inside `work`, and what
    nobody waits for any more is handed to `unclaimed`.
    """
    if not blocking:
        return work()
    import asyncio

    future = executor().submit(work)
    try:
        return await asyncio.shield(asyncio.wrap_future(future))
    except asyncio.CancelledError:
        if unclaimed is not None:
            claim = unclaimed
            future.add_done_callback(lambda done: None if done.exception() else claim(done.result()))
        raise


def follow(task: asyncio.Task[Any]) -> None:
    """Remember a task that nobody waits for until it is done; `settle` may wait for it."""
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)


def settle(loop: asyncio.AbstractEventLoop, timeout: float) -> bool:
    """Run a loop that stands still until what nobody waits for is done; False when something is still under way."""
    waiting = [task for task in _tasks if task.get_loop() is loop]
    if not waiting:
        return True
    import asyncio

    return not loop.run_until_complete(asyncio.wait(waiting, timeout=timeout))[1]


def in_event_loop() -> bool:
    """Whether the caller runs inside an event loop, where nothing may block."""
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def drain(timeout: float | None) -> bool:
    """Wait for what `soon` started.

    Returns:
        True when all of it ended within timeout seconds (None waits without limit).
    """
    waiting = set(_pending)
    if not waiting:
        return True
    from concurrent.futures import wait

    return not wait(waiting, timeout).not_done


def _guarded(work: Callable[[], object]) -> None:
    try:
        work()
    except Exception:
        logger.warning("work in the background failed", exc_info=True)
