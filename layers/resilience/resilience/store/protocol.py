"""The protocol of a store.

It is narrow on purpose: writes that are conditional on a version, and counters that add. It has no expression language,
so that all stores behave the same, and one set of tests can prove it for each of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from resilience.errors import StoreError

Value = str | int | float | bool | bytes | None
"""What an attribute may hold. Floats must be finite."""


class StoreThrottledError(StoreError):
    """The store works, but had too many requests for this key; retry it later."""


class Item(NamedTuple):
    """One stored item.

    Attributes:
        pk: Partition key.
        sk: Sort key.
        attributes: The values, without the keys, the version and the ttl.
        version: Set by conditional writes, one higher after each; None if there was none, or a `put` since.
        ttl: Unix second at which the item expires, or None for never.
    """

    pk: str
    sk: str
    attributes: Mapping[str, Value]
    version: int | None = None
    ttl: int | None = None


class Store(Protocol):
    """A table of items. Every method raises StoreError when the store does not answer in time or refuses.

    No other error is raised for a valid request. Attributes that cannot be stored may raise TypeError or ValueError.
    An item past its ttl is absent to every method, with one exception: see `add`.

    Attributes:
        blocking: Whether methods may block; callers in an event loop then call them in a thread.
    """

    blocking: bool

    def get(self, pk: str, sk: str) -> Item | None:
        """Return the item as last written (a strongly consistent read), or None if it is absent."""

    def query(self, pk: str, *, sk_prefix: str = "", limit: int | None = None) -> list[Item]:
        """Return the items of a partition, ordered by sort key. The read is eventually consistent.

        Args:
            pk: Partition key.
            sk_prefix: Return only items whose sort key begins with this; "" for all.
            limit: Return at most this many items; None for all.
        """

    def put(self, pk: str, sk: str, attributes: Mapping[str, Value], *, ttl: int | None = None) -> None:
        """Write the item unconditionally; it has no version afterwards."""

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
        """Write the item only if the stored version is the expected one (a conditional write).

        Args:
            pk: Partition key.
            sk: Sort key.
            attributes: The values to write; they replace all earlier ones.
            expected_version: The version that must be stored; None if the item must be absent.
            ttl: Unix second at which the item expires; None for never.
            first_version: The version to give an item that was absent, default 1. If versions restart at 1 after an
                item expired, a writer can mistake the new item for the old one.

        Returns:
            True when written; the version is then `expected_version` + 1, or `first_version`. False when another writer
            was first.
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
        """Add to whole numbers in one atomic step, starting from 0.

        The store's own retries are idempotent: a request whose answer was lost is not counted again. An expired counter
        may continue from its old value where the store removes expired items late: give each time window its own key.

        Args:
            pk: Partition key.
            sk: Sort key.
            deltas: The whole number to add to each name.
            ttl: Unix second at which the item expires; None keeps its present ttl.
            request_id: (writer, id): makes retries by the caller idempotent as well. Repeating the writer's last id
                adds nothing and returns the current values. A writer must have only one request for an item in progress
                at a time. None: each call counts.

        Returns:
            The new values of the names in `deltas`.
        """

    def delete(self, pk: str, sk: str) -> None:
        """Delete the item; do nothing if it is absent."""
