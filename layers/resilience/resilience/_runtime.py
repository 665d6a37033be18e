"""What the whole process shares: the default store, and the hooks for flush and restore.

`configure` chooses the store; without it the environment does, when the first part needs one: RESILIENCE_TABLE names a
DynamoDB table, and where it is not set everything stays in memory.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

from resilience import _background
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork
from resilience._shared_state import SharedState, shared_state_of
from resilience.store import DynamoStore, MemoryStore, Store

if TYPE_CHECKING:
    import asyncio


class _Process:
    """The lock for the process-wide values."""

    def __init__(self) -> None:
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware."""
        self.lock = threading.RLock()


_process = _Process()
_store: Store | None = None
_rebinders: weakref.WeakSet[StoreBound] = weakref.WeakSet()
_restorers: list[Callable[[], object]] = []
_flushers: list[Callable[[bool], object]] = []


class StoreBound:
    """An object that uses the default store and must look it up again when `configure` changes it."""

    def rebind(self) -> None:
        """Forget the store; the next use asks for the default again."""
        raise NotImplementedError

    def restored(self) -> None:
        """Forget what must not outlive a restore."""

    def follow_default(self) -> None:
        """Get notified when the default store changes."""
        with _process.lock:
            _rebinders.add(self)


def configure(*, store: Store | None = None) -> None:
    """Choose the store for everything without one of its own; existing objects switch to it.

    Args:
        store: None goes back to the environment's choice: DynamoStore(RESILIENCE_TABLE) if that variable is set, else a
            new MemoryStore.
    """
    global _store  # noqa: PLW0603 - one default a process
    with _process.lock:
        _store = store
        users = list(_rebinders)
    for user in users:
        user.rebind()


def default_store() -> Store:
    """The store in use, made when first asked for."""
    global _store  # noqa: PLW0603
    with _process.lock:
        if _store is None:
            _store = _from_environment()
        return _store


def default_shared_state() -> SharedState:
    """The snapshot of the default store."""
    return shared_state_of(default_store())


def begin(*, clock: Clock = SYSTEM) -> None:
    """Call when an invocation begins: after a pause the shared snapshot is then read in parallel with the first work.

    Nothing waits for it, and it reads no more often than circuits and caches would. Those read when they are
    called, and use the state from before the pause until the answer arrives: an order given meanwhile is followed one
    call late.

    Args:
        clock: Source of time.
    """
    default_shared_state().refresh_soon(clock)


def prepare() -> bool:
    """Choose the store and make its client now: at import, off the path of requests, and before a snapshot.

    Sends nothing.

    Returns:
        False when the client cannot be made yet; it is tried again with the first request.
    """
    store = default_store()
    return store.prepare() if isinstance(store, DynamoStore) else True


def warm_up() -> bool:
    """Connect to the store and read the shared snapshot now, for instance while Lambda initialises.

    Returns:
        False when the store did not answer; only time is lost then.
    """
    return default_shared_state().refresh(SYSTEM)


def on_flush(work: Callable[[bool], object]) -> None:
    """Run work in every `flush`; its argument says whether everything must be written. It must not raise."""
    _flushers.append(work)


def flush(timeout: float | None = 2.0, *, final: bool = False) -> bool:
    """Write what is due and wait for work in progress; call it when an invocation ends.

    Args:
        timeout: Seconds to wait at most, default 2; None waits without limit.
        final: Write everything, due or not: at shutdown.

    Returns:
        True when nothing is left under way.
    """
    for work in _flushers:
        work(final)
    return _background.drain(timeout)


def settle(loop: asyncio.AbstractEventLoop, timeout: float = 0.25) -> bool:
    """Run a stopped event loop until background refreshes are done; call it when an invocation ends.

    A loop that runs only during invocations, as on Lambda, would otherwise finish a refresh in a later one.

    Args:
        loop: Must not be running.
        timeout: Seconds at most, default 0.25.

    Returns:
        True when nothing is left; remaining work continues when the loop runs again.
    """
    return _background.settle(loop, timeout)


def on_restored(work: Callable[[], object]) -> None:
    """Run work in `on_restore`."""
    _restorers.append(work)


def on_restore() -> None:
    """Call after a SnapStart restore: drops sockets, and what must differ between copies of one memory."""
    store = default_store()
    shared_state_of(store).expire()
    with _process.lock:
        users = list(_rebinders)
    for user in users:
        user.restored()
    for work in _restorers:
        work()
    close = getattr(store, "close", None)
    if close is not None:
        close()


def _from_environment() -> Store:
    table = os.environ.get("RESILIENCE_TABLE")
    if table:
        return DynamoStore(table)
    return MemoryStore()
