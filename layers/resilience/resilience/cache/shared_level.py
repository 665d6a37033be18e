"""The second level: encoded values in the store, where every environment finds them.

A write is conditional on the version that was read before the value was computed, and `invalidate` leaves a marker that
counts as a version. So a value computed before an invalidation can never be stored after it. Failure policy: when the
store does not answer, reads find nothing, writes are dropped, and no call fails for it.
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
"""Bytes; DynamoDB's items end at 400 KB."""
TOMBSTONE_SECONDS: Final = 3_600
"""How long a marker says that a key was invalidated; what is remembered for longer must not be believed."""
_LEASE_SECONDS: Final = 15
_TRIES: Final = 4


class Lookup(NamedTuple):
    """What the second level knows of a key.

    Attributes:
        entry: The value, or None when there is none.
        version: What a write must expect; None for no item.
        invalidated: Whether the key was invalidated.
        answered: Whether the store answered.
    """

    entry: Entry | None = None
    version: int | None = None
    invalidated: bool = False
    answered: bool = True


class SharedLevel:
    """The second level over one store. Its methods block when the store does."""

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
        """Put a marker in the place of a value that a refresh found to be nothing any more."""
        if found.answered and found.version is not None:
            self._write(key, generation, {"tombstone": True}, found.version, int(now) + TOMBSTONE_SECONDS)

    def put(self, key: str, entry: Entry, found: Lookup, keep: float) -> bool | None:
        """Store a value that was computed after `found` was read.

        Returns:
            False when another environment wrote or invalidated since; None when the store did not answer.
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
        """Leave a marker in the value's place; False when the store did not answer."""
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
        """Win the right to refresh a key for the fleet; True as well when the store does not answer.

        It ends by itself, before the value that is fresh for `ttl` seconds has to be refreshed again.
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
    """The stored value; None for one that this version cannot read."""
    text, created = item.attributes.get("text"), item.attributes.get("created")
    if not isinstance(text, str) or not isinstance(created, int | float) or not readable(text):
        return None
    return Entry(text, float(created), generation, now)


def _unrepeatable() -> int:
    """A first version that no write before or after begins with, although items expire and are written again."""
    return int.from_bytes(os.urandom(7), "big")


def _partition(key: str, generation: int) -> str:
    return f"cache#{generation}#{hashlib.sha256(key.encode()).hexdigest()}"
