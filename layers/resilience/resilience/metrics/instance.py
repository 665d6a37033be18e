"""The base of the monitor and the event counter: an id in the fleet, and a generation for resets.

A reset increments the generation number in the store. An environment that sees a higher number than its own forgets its
figures as well.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from resilience import _background, _runtime, _validation, events
from resilience._clock import Clock
from resilience._context import in_event_loop
from resilience._fork import register_after_fork
from resilience._shared_state import SharedState, shared_state_of
from resilience.errors import StoreError
from resilience.store.protocol import Item, Store

T = TypeVar("T")


def readable(topic: str, items: Iterable[Item], read: Callable[[Item], T]) -> Iterator[T]:
    """Yield what `read` returns for each item; if it fails (another version), skip the item and emit STORE_ERROR."""
    for item in items:
        try:
            yield read(item)
        except Exception as error:  # noqa: BLE001 - whatever somebody stored
            key = f"{item.pk} {item.sk}"
            events.emit(events.STORE_ERROR, topic, operation="read", key=key, error=str(error))


class InstanceRecorder(_runtime.StoreBound):
    """One environment's part of figures that the fleet keeps together.

    Args:
        topic: Name of the generation in the store, and of the source in events.
        flush_seconds: Minimum seconds between two writes; 0 or more.
        store: The store that all environments share; None uses the default store.
        clock: Source of time.

    Raises:
        ConfigurationError: flush_seconds is out of range.
    """

    def __init__(self, topic: str, flush_seconds: float, store: Store | None, clock: Clock) -> None:
        self._topic = topic
        self._flush_seconds = _validation.number("flush_seconds", flush_seconds)
        self._given, self._clock = store, clock
        self._shared_state: SharedState | None = None
        self._flush_at = 0.0
        self._generation = 0
        self._id = os.urandom(6).hex()
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        register_after_fork(self)
        if store is None:
            self.follow_default()

    def rebind(self) -> None:
        """Switch to the new default store, which has its own generation numbers."""
        self._shared_state, self._generation = None, 0

    def renew(self) -> None:
        """Take a new id: copies of one memory must not write to the same item."""
        self._id = os.urandom(6).hex()

    def after_fork(self) -> None:
        """Replace the locks and become a new environment: the counts belong to the parent. See ForkAware."""
        self._lock, self._flushing = threading.Lock(), threading.Lock()
        self.renew()

    def flush(self) -> bool:
        """Write what was counted since the last flush; return False when the store did not answer."""
        with self._flushing:  # an older state must not overwrite a newer one
            return self._flush()

    def _flush(self) -> bool:
        raise NotImplementedError

    def _forget(self) -> None:
        """Drop this environment's figures."""
        raise NotImplementedError

    def _forget_everywhere(self) -> None:
        """Forget here at once and elsewhere within five seconds, without blocking an event loop."""
        self._forget()
        if self._bound().store.blocking and in_event_loop():
            _background.submit(self._announce, blocking=True)
        else:
            self._announce()

    async def _forget_everywhere_async(self) -> bool:
        """Forget everywhere and wait; return False when the store did not answer and only this environment forgot."""
        self._forget()
        return await _background.run(self._announce, blocking=self._bound().store.blocking)

    def _announce(self) -> bool:
        try:
            self._generation = self._bound().advance(self._topic)
        except StoreError as error:
            self._tell("clear", error)
            return False
        return True

    def _tell(self, operation: str, error: StoreError) -> None:
        events.emit(events.STORE_ERROR, self._topic, operation=operation, error=str(error))

    def _check_generation(self) -> int:
        """Forget figures from before the last known reset; return the generation."""
        shared_state = self._bound()
        shared_state.refresh_soon(self._clock)
        generation = shared_state.generation(self._topic)
        if generation > self._generation:
            self._generation = generation
            self._forget()
        return self._generation

    def _waited(self, now: float) -> bool:
        """Return whether flush_seconds have passed since the last write; a wall clock stepping back adds no delay."""
        return not self._flush_at - self._flush_seconds <= now < self._flush_at

    def _bound(self) -> SharedState:
        if self._shared_state is None:
            self._shared_state = shared_state_of(self._given or _runtime.default_store())
        return self._shared_state
