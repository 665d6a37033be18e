"""The second level: encoded values in the store, which every environment can read.

A write is conditional on the version that was read before the value was computed. `invalidate` writes a tombstone,
which has a version as well. So a value computed before an invalidation can never be stored after it. Failure policy:
when the store does not answer, reads find nothing, writes are dropped, and no call fails because of it.
"""

from __future__ import annotations

import hashlib
import os
from typing import Final, NamedTuple

from resilience import events
from resilience.cache.codec import readable
from resilience.cache.entry import Entry
from resilience.errors import StoreError
from resilience.store.protocol import Item, Store, Value

LARGEST: Final = 350_000
"""Largest entry to store, in bytes; DynamoDB limits an item to 400 KB."""
TOMBSTONE_SECONDS: Final = 3_600
"""Lifetime of a tombstone in seconds; a local value that went unchecked for longer must not be trusted."""
_LEASE_SECONDS: Final = 15
_TRIES: Final = 4


class Lookup(NamedTuple):
    """What the second level knows about a key.

    Attributes:
        entry: The value; None if there is none, or this version of the code cannot read it.
        version: The version that a conditional write must expect; None if there is no item.
        invalidated: Whether the item is a tombstone.
        answered: Whether the store answered.
    """

    entry: Entry | None = None
    version: int | None = None
    invalidated: bool = False
    answered: bool = True


class SharedLevel:
    """The second level on one store. Its methods block if the store does, and never raise StoreError."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.errors = 0

    def get(self, key: str, generation: int, now: float) -> Lookup:
        """Look a key up with a consistent read."""
        try:
            item = self.store.get(_partition(key, generation), "value")
        except StoreError as error:
            self._failed(key, "get", error)
            return Lookup(answered=False)
        if item is None:
            return Lookup()
        if item.attributes.get("tombstone"):
            return Lookup(version=item.version, invalidated=True)
        return Lookup(_entry(item, generation, now), item.version)

    def put_tombstone(self, key: str, generation: int, found: Lookup, now: float) -> None:
        """Replace a value by a tombstone after a recomputation returned None, unless another writer was first."""
        if found.answered and found.version is not None:
            self._write(key, generation, {"tombstone": True}, found.version, int(now) + TOMBSTONE_SECONDS)

    def put(self, key: str, entry: Entry, found: Lookup, keep: float) -> bool | None:
        """Store a value that was computed after `found` was read.

        Args:
            key: The cache key.
            entry: The value.
            found: The lookup; its version is the one that the write expects.
            keep: Unix second until which the value may be served; the item expires then.

        Returns:
            True when stored; False when another environment wrote or invalidated since; None when the store did not
            answer.
        """
        values: dict[str, Value] = {"text": entry.text, "created": entry.created}
        return self._write(key, entry.generation, values, found.version, int(keep) + 1)

    def _write(
        self, key: str, generation: int, values: dict[str, Value], expected: int | None, ttl: int
    ) -> bool | None:
        try:
            return self.store.put_if(
                _partition(key, generation),
                "value",
                values,
                expected_version=expected,
                ttl=ttl,
                first_version=_unrepeatable(),
            )
        except StoreError as error:
            self._failed(key, "put", error)
            return None

    def invalidate(self, key: str, generation: int, now: float) -> bool:
        """Replace a value by a tombstone; return False if the store failed, or other writers were first four times."""
        partition, ttl = _partition(key, generation), int(now) + TOMBSTONE_SECONDS
        try:
            for _ in range(_TRIES):
                item = self.store.get(partition, "value")
                seen = item.version if item else None
                if self.store.put_if(
                    partition,
                    "value",
                    {"tombstone": True},
                    expected_version=seen,
                    ttl=ttl,
                    first_version=_unrepeatable(),
                ):
                    return True
        except StoreError as error:
            self._failed(key, "invalidate", error)
        return False

    def lease(self, key: str, generation: int, now: float, ttl: float) -> bool:
        """Try to get the right to refresh a key for the fleet.

        The lease expires after `ttl` seconds, but at least 1 and at most 15: before the refreshed value, which is
        fresh for `ttl` seconds, has to be refreshed again.

        Returns:
            True when this environment may refresh, or the store did not answer.
        """
        ends = int(now) + max(1, min(_LEASE_SECONDS, int(ttl)))
        try:
            return self.store.put_if(_partition(key, generation), "lease", {}, expected_version=None, ttl=ends)
        except StoreError as error:
            self._failed(key, "lease", error)
            return True

    def _failed(self, key: str, operation: str, error: StoreError) -> None:
        self.errors += 1
        events.emit(events.STORE_ERROR, "cache", operation=operation, key=key, error=str(error))


def _entry(item: Item, generation: int, now: float) -> Entry | None:
    """Return the stored value, or None if this version of the code cannot read it."""
    text, created = item.attributes.get("text"), item.attributes.get("created")
    if not isinstance(text, str) or not isinstance(created, int | float) or not readable(text):
        return None
    return Entry(text, float(created), generation, now)


def _unrepeatable() -> int:
    """Return a random first version, so that an item written again after it expired never repeats a version."""
    return int.from_bytes(os.urandom(7), "big")


def _partition(key: str, generation: int) -> str:
    return f"cache#{generation}#{hashlib.sha256(key.encode()).hexdigest()}"
