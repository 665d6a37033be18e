"""What an environment knows about the others: one small partition with every circuit and every generation number.

A generation number counts how often something, such as the cache, was cleared. One query reads the whole partition, at
most once every `refresh_seconds` whoever asks; circuits, cache and metrics share the answer. Failure policy: a read
that fails changes nothing and is not repeated before the next interval.
"""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Callable
from typing import Final

from resilience import _background, events
from resilience._clock import Clock
from resilience._fork import register_after_fork
from resilience.errors import StoreError
from resilience.store.protocol import Item, Store, Value

PARTITION: Final = "control"
CIRCUIT: Final = "circuit#"
GENERATION: Final = "generation#"

logger = logging.getLogger("resilience")
Listener = Callable[[Item], None]


class SharedState:
    """The shared snapshot of one environment.

    Args:
        store: Where the snapshot is read from. Each store object has one snapshot: see `shared_state_of`.
        refresh_seconds: Age in seconds at which it is read again.
    """

    def __init__(self, store: Store, refresh_seconds: float) -> None:
        self.store = store
        self.refresh_seconds = refresh_seconds
        self.items: dict[str, Item] = {}
        self._from = self._until = self._steady_until = 0.0
        self._listeners: dict[str, list[weakref.WeakMethod[Listener]]] = {}
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
        self._busy = threading.Lock()

    def listen(self, sk: str, listener: Listener) -> None:
        """Call a bound method with every newer item of this sort key, for as long as its object lives.

        An item that is already known is passed at once.
        """
        others = [other for other in self._listeners.get(sk, ()) if other() is not None]
        self._listeners[sk] = [*others, weakref.WeakMethod(listener)]
        if sk in self.items:
            _heard(listener, self.items[sk])

    def due(self, clock: Clock) -> bool:
        """Return whether the snapshot is too old by the wall clock or by the monotonic clock.

        The wall clock counts the time in which Lambda froze the environment. The monotonic clock covers a wall clock
        that was set back. The closed path of a circuit checks the wall clock alone: after a step back it may use an old
        snapshot for one more `refresh_seconds`.
        """
        return not self._from <= clock.wall() < self._until or clock.steady() >= self._steady_until

    def valid(self) -> tuple[float, float]:
        """Return (from, until): the Unix seconds between which the snapshot is recent enough."""
        return self._from, self._until

    def refresh_soon(self, clock: Clock) -> None:
        """Start to read the snapshot if it is due; a blocking store does not make the caller wait."""
        if self.due(clock) and self._claim(clock):
            _background.submit(self._read, blocking=self.store.blocking)

    def refresh(self, clock: Clock) -> bool:
        """Read the snapshot now and wait for it.

        Returns:
            False when the store did not answer; the items known before stay.
        """
        self._claim(clock)
        return self._read()

    def learn(self, item: Item) -> None:
        """Keep an item that was read or written elsewhere and notify its listeners, unless a newer version is known."""
        known = self.items.get(item.sk)
        if known is not None and _rank(item) < _rank(known):
            return
        self.items[item.sk] = item
        for reference in self._listeners.get(item.sk, ()):
            listener = reference()
            if listener is not None:
                _heard(listener, item)

    def expire(self) -> None:
        """Forget the snapshot: after a restore it may be arbitrarily old."""
        self.items.clear()
        self._from = self._until = self._steady_until = 0.0

    def generation(self, name: str) -> int:
        """Return how often `name` was cleared, as far as this environment knows."""
        item = self.items.get(GENERATION + name)
        return int(number(item.attributes.get("n"))) if item else 0

    def advance(self, name: str) -> int:
        """Count one more clear of `name` in the store; other environments see it in their next snapshot.

        Returns:
            The new generation number.

        Raises:
            StoreError: The store did not answer.
        """
        sk = GENERATION + name
        number = self.store.add(PARTITION, sk, {"n": 1})["n"]
        self.learn(Item(PARTITION, sk, {"n": number}))
        return number

    def _claim(self, clock: Clock) -> bool:
        with self._busy:
            if not self.due(clock):
                return False
            self._from = clock.wall()
            self._until = self._from + self.refresh_seconds
            self._steady_until = clock.steady() + self.refresh_seconds
            return True

    def _read(self) -> bool:
        try:
            found = self.store.query(PARTITION)
        except StoreError as error:
            events.emit(events.STORE_ERROR, "control", operation="query", error=str(error))
            return False
        for item in found:
            self.learn(item)
        return True


def _heard(listener: Listener, item: Item) -> None:
    """Call a listener. Failure policy: an Exception that it raises is logged and does not affect the others."""
    try:
        listener(item)
    except Exception:
        logger.warning("item %s of the shared state was not understood; ignored", item.sk, exc_info=True)


def _rank(item: Item) -> int:
    """Return the number in an item that only grows: the version of a circuit, the count of a generation."""
    return item.version or int(number(item.attributes.get("n")))


def number(value: Value) -> float:
    """Return a stored value if it is a finite number, else 0."""
    return value if isinstance(value, int | float) and math.isfinite(value) else 0.0


class _SharedStates:
    """One snapshot for each store object."""

    def __init__(self) -> None:
        self.by_store: weakref.WeakKeyDictionary[Store, SharedState] = weakref.WeakKeyDictionary()
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
        self.lock = threading.Lock()


_shared_states = _SharedStates()


def shared_state_of(store: Store, refresh_seconds: float = 5.0) -> SharedState:
    """Return the one snapshot of this store object, created with the first caller's `refresh_seconds`."""
    with _shared_states.lock:
        found = _shared_states.by_store.get(store)
        if found is None:
            found = _shared_states.by_store[store] = SharedState(store, refresh_seconds)
        return found
