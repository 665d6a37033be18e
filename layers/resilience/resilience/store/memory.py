"""The store in this process's memory: for tests, for development, and where no table is configured."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork
from resilience.store.protocol import Item, Value


class MemoryStore:
    """A thread-safe store in memory. Only the items' ttl limits its size: every 1,000 writes, expired ones are removed.

    Args:
        clock: Its wall clock decides which items have expired.
    """

    blocking = False
    _SWEEP_EVERY = 1_000

    def __init__(self, *, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.after_fork()
        register_after_fork(self)
        self._items: dict[str, dict[str, Item]] = {}
        self._writes = 0

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
        self._lock = threading.Lock()

    def get(self, pk: str, sk: str) -> Item | None:
        """See Store.get."""
        with self._lock:
            return self._live(pk, sk)

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        """See Store.query."""
        now = self._clock.wall()
        with self._lock:
            found = sorted(
                (
                    item
                    for sk, item in self._items.get(pk, {}).items()
                    if sk.startswith(sk_prefix) and _alive(item, now)
                ),
                key=lambda item: item.sk,
            )
        return found[:limit]

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        """See Store.put."""
        with self._lock:
            self._write(Item(pk, sk, dict(attributes), None, ttl))

    def put_if(
        self,
        pk: str,
        sk: str,
        attributes: Mapping[str, Value],
        *,
        expected_version: int | None,
        ttl: int | None = None,
        first_version: int = 1,
    ) -> bool:
        """See Store.put_if."""
        with self._lock:
            current = self._live(pk, sk)
            if (current is None) != (expected_version is None) or (current and current.version != expected_version):
                return False
            self._write(
                Item(pk, sk, dict(attributes), first_version if expected_version is None else expected_version + 1, ttl)
            )
            return True

    def add(
        self,
        pk: str,
        sk: str,
        deltas: Mapping[str, int],
        *,
        ttl: int | None = None,
        request_id: tuple[str, str] | None = None,
    ) -> dict[str, int]:
        """See Store.add."""
        with self._lock:
            current = self._live(pk, sk)
            before = dict(current.attributes) if current else {}
            if request_id is not None:
                place, nonce = f"by_{request_id[0]}", request_id[1]
                if before.get(place) == nonce:
                    return {name: int(before.get(name) or 0) for name in deltas}
                before[place] = nonce
            after = {name: int(before.get(name) or 0) + delta for name, delta in deltas.items()}
            version, expires = (current.version, current.ttl) if current else (None, None)
            self._write(Item(pk, sk, before | after, version, expires if ttl is None else ttl))
            return after

    def delete(self, pk: str, sk: str) -> None:
        """See Store.delete."""
        with self._lock:
            self._items.get(pk, {}).pop(sk, None)

    def _live(self, pk: str, sk: str) -> Item | None:
        item = self._items.get(pk, {}).get(sk)
        return item if item is not None and _alive(item, self._clock.wall()) else None

    def _write(self, item: Item) -> None:
        self._items.setdefault(item.pk, {})[item.sk] = item
        self._writes += 1
        if self._writes % self._SWEEP_EVERY == 0:
            self._sweep()

    def _sweep(self) -> None:
        now = self._clock.wall()
        for pk, items in list(self._items.items()):
            kept = {sk: item for sk, item in items.items() if _alive(item, now)}
            if kept:
                self._items[pk] = kept
            else:
                del self._items[pk]


def _alive(item: Item, now: float) -> bool:
    return item.ttl is None or item.ttl > now
