"""What the package asks of a store.

The protocol is narrow on purpose: a version that a write is conditional on, and counters that add. No expression
language, so that the store in memory and the one in DynamoDB mean the same, and one set of tests shows it on both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from resilience.errors import StoreError

Value = str | int | float | bool | bytes | None
"""What an attribute may hold. Floats must be finite."""


class StoreThrottledError(StoreError):
    """The store is well, and has had too many requests for this key: it asks to be left alone with it for a moment."""


class Item(NamedTuple):
    """One stored item.

    Attributes:
        pk: Partition key.
        sk: Sort key.
        attributes: The values, without the keys, the version and the expiry.
        version: The number of conditional writes so far, or None for an item that was never written conditionally.
        ttl: Unix second at which the item expires, or None for never.
    """

    pk: str
    sk: str
    attributes: Mapping[str, Value]
    version: int | None = None
    ttl: int | None = None


class Store(Protocol):
    """A table of items. Every method raises StoreError when the store does not answer, and nothing else.

    An item past its ttl is absent to every method. Methods may block: callers in an event loop use a
    thread when `blocking` is true.
    """

    blocking: bool

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the item as last written (a consistent read), or None."""

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        """Return the partition's items in order of their sort key; it may lag behind writes for a moment.

        Args:
            pk: The partition.
            sk_prefix: Only sort keys that begin so; "" for all.
            limit: At most so many; None for all.
        """

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        """Write the item whatever was there."""

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
        """Write the item only if its version is the expected one (None: only if it is absent).

        Args:
            pk: Partition key.
            sk: Sort key.
            attributes: What to write.
            expected_version: See above.
            ttl: Unix second at which the item expires; None for never.
            first_version: The version of an item that was absent. Numbers that start again could be taken for those
                from before the item expired.

        Returns:
            True when written, and the version is then one higher; False when another writer was first.
        """

    def add(
        self,
        pk: str,
        sk: str,
        deltas: Mapping[str, int],
        *,
        ttl: int | None = None,
        request_id: tuple[str, str] | None = None,
    ) -> dict[str, int]:
        """Add to whole numbers in one step, beginning at 0, and return the new values of the names in deltas.

        What was counted although its answer was lost is not counted again by the store's own repeats. An expired
        counter may be continued where the store removes expired items late: give every window a key of its own.

        Args:
            pk: Partition key.
            sk: Sort key.
            deltas: What to add to each name.
            ttl: Unix second at which the item expires; None leaves it as it is.
            request_id: A writer that has one request for this item at a time, and an id. The same id again counts
                once, and returns the values as they are by then: for a caller that had no answer. None: none of it.
        """

    def delete(self, pk: str, sk: str) -> None:
        """Remove the item; no error when it is absent."""
