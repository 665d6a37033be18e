"""The first level: encoded values in memory, bounded by entries and bytes, with least-recently-used eviction."""

from __future__ import annotations

import threading

from cachetools import LRUCache

from resilience import _validation
from resilience._fork import register_after_fork
from resilience.cache.entry import Entry


class LocalLevel:
    """A bounded, thread-safe map from keys to entries.

    Args:
        max_entries: Maximum number of entries; at least 1.
        max_bytes: Maximum size of all entries and their keys in bytes, at least 1. A larger entry is not kept.

    Raises:
        ConfigurationError: A bound is below 1.
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
        """Replace the lock in a forked child; see ForkAware."""
        self._lock = threading.Lock()

    def get(self, key: str) -> Entry | None:
        """Return the entry, however old, or None."""
        with self._lock:
            kept = self._entries.get(key)
        return kept[0] if kept else None

    def put(self, key: str, entry: Entry, keep: float) -> None:
        """Store an entry, evicting others to stay within the bounds; from Unix second `keep` on `sweep` drops it."""
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
        """Drop a key; return False if it was not there."""
        with self._lock:
            return self._entries.pop(key, None) is not None

    def clear(self) -> None:
        """Drop all entries."""
        with self._lock:
            self._entries.clear()

    def sweep(self, now: float, generation: int) -> int:
        """Drop entries that have expired or belong to another generation; return how many."""
        with self._lock:
            useless = [
                k for k, (entry, keep, _) in self._entries.items() if keep <= now or entry.generation != generation
            ]
            for key in useless:
                del self._entries[key]
        return len(useless)

    def size(self) -> tuple[int, int]:
        """Return the number of entries and their size in bytes, keys included."""
        with self._lock:
            return len(self._entries), int(self._entries.currsize)
