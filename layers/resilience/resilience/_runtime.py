"""What the whole process shares: the default store, and the hooks for flush and restore.

`configure` sets the store. Otherwise it is chosen when it is first needed: DynamoDB if the environment variable
RESILIENCE_TABLE names a table, else memory.
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
    """Holds the lock for the process-wide values."""

    def __init__(self) -> None:
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
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
        """Drop what copies of one snapshot must not share; called by `on_restore`. By default nothing."""

    def follow_default(self) -> None:
        """Have `rebind` and `restored` called, for as long as this object lives."""
        with _process.lock:
            _rebinders.add(self)


def configure(*, store: Store | None = None) -> None:
    """Set the store for everything that has none of its own; existing objects switch to it.

    Args:
        store: The store. None goes back to the environment's choice: DynamoStore(RESILIENCE_TABLE) if that variable is
            set, else a new MemoryStore.
    """
    global _store  # noqa: PLW0603 - one default a process
    with _process.lock:
        _store = store
        users = list(_rebinders)
    for user in users:
        user.rebind()


def default_store() -> Store:
    """Return the default store; created on first use."""
    global _store  # noqa: PLW0603
    with _process.lock:
        if _store is None:
            _store = _from_environment()
        return _store


def default_shared_state() -> SharedState:
    """Return the shared snapshot of the default store."""
    return shared_state_of(default_store())


def begin(*, clock: Clock = SYSTEM) -> None:
    """Start to read the shared snapshot if it is due; call this when an invocation begins.

    After a pause the snapshot is then read in parallel with the first work. Nothing waits for it, and it is read no
    more often than circuits and caches would read it, which they do when they are called. Until the answer arrives they
    use the state from before the pause: an order given during the pause (forced open, reset, cleared) is followed one
    call late.

    Args:
        clock: The snapshot is due by its wall clock or its monotonic clock, whichever comes first.
    """
    default_shared_state().refresh_soon(clock)


def prepare() -> bool:
    """Choose the store and create boto3's client now: at import, not during a request, and before a SnapStart snapshot.

    Sends no request.

    Returns:
        False when the client cannot be created yet; the first request tries again. True for any other store.
    """
    store = default_store()
    return store.prepare() if isinstance(store, DynamoStore) else True


def warm_up() -> bool:
    """Connect to the store and read the shared snapshot now, for instance while Lambda initialises.

    Returns:
        False when the store did not answer; nothing but time is lost.
    """
    return default_shared_state().refresh(SYSTEM)


def on_flush(work: Callable[[bool], object]) -> None:
    """Register work to run in every `flush`. It gets `final`: whether everything must be written. It must not raise."""
    _flushers.append(work)


def flush(timeout: float | None = 2.0, *, final: bool = False) -> bool:
    """Write what is due and wait for work in progress; call this when an invocation ends.

    Args:
        timeout: Longest wait in seconds, default 2; None waits without limit.
        final: Write everything, due or not; for shutdown.

    Returns:
        True when no work is left in progress.
    """
    for work in _flushers:
        work(final)
    return _background.drain(timeout)


def settle(loop: asyncio.AbstractEventLoop, timeout: float = 0.25) -> bool:
    """Run a stopped event loop until its background refreshes are done; call this when an invocation ends.

    A loop that runs only during invocations, as on Lambda, would otherwise finish a refresh in a later one.

    Args:
        loop: The loop of the refreshes; must not be running.
        timeout: Longest wait in seconds, default 0.25.

    Returns:
        True when none is left. Otherwise the rest continues when the loop runs again.
    """
    return _background.settle(loop, timeout)


def on_restored(work: Callable[[], object]) -> None:
    """Register work to run in `on_restore`."""
    _restorers.append(work)


def on_restore() -> None:
    """Close sockets and drop what copies of one snapshot must not share; call this after a SnapStart restore."""
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
