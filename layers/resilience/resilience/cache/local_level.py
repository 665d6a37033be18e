"""The first level: encoded values in memory, bounded in entries and in bytes, least recently used out."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from resilience import _validation
from resilience._fork import register_after_fork
from resilience.cache.entry import Entry


class LocalLevel:
    """A bounded map from keys to entries, safe for threads.

    Args:
        max_entries: Most entries.
        max_bytes: Most bytes of all entries and their keys together; one larger than this is not kept.
    """

    def __init__(self, max_entries: int, max_bytes: int) -> None:
        self._max_entries = _validation.whole("max_entries", max_entries)
        self._entries: LRUCache[str, tuple[Entry, float, int]] = LRUCache(
            _validation.whole("max_bytes", max_bytes), getsizeof=lambda kept: kept[2]
        )
        self.evictions = 0
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware."""
        self._lock = threading.Lock()

    def get(self, key: str) -> Entry | None:
        """The entry, however old."""
        with self._lock:
            kept = self._entries.get(key)
        return kept[0] if kept else None

    def put(self, key: str, entry: Entry, keep: float) -> None:
        """Keep an entry until the Unix second `keep`, pushing others out where the bounds ask for it."""
        with self._lock:
            before = len(self._entries) + (key not in self._entries)
            size = entry.size + len(key) * (1 if key.isascii() else 4)
            if size > self._entries.maxsize:
                self._entries.pop(key, None)
                return
            self._entries[key] = (entry, keep, size)
            while len(self._entries) > self._max_entries:
                self._entries.popitem()
            self.evictions += before - len(self._entries)

    def drop(self, key: str) -> bool:
        """Forget a key; False when it was not there."""
        with self._lock:
            return self._entries.pop(key, None) is not None

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def sweep(self, now: float, generation: int) -> int:
        """Forget what is of no use any more; returns how many."""
        with self._lock:
            useless = [
                k for k, (entry, keep, _) in self._entries.items() if keep <= now or entry.generation != generation
            ]
            for key in useless:
                del self._entries[key]
        return len(useless)

    def size(self) -> tuple[int, int]:
        """Entries and bytes."""
        with self._lock:
            return len(self._entries), int(self._entries.currsize)
