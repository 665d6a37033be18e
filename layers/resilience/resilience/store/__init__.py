"""Where environments meet: one narrow protocol, kept in memory or in a DynamoDB table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resilience.store._protocol import Item, Store, Value

if TYPE_CHECKING:
    from resilience.store._dynamo import DynamoStore
    from resilience.store._memory import MemoryStore

__all__ = ["DynamoStore", "Item", "MemoryStore", "Store", "Value"]


def __getattr__(name: str) -> Any:
    # Every part imports the protocol; only who builds a store needs the rest.
    if name == "DynamoStore":
        from resilience.store._dynamo import DynamoStore

        return DynamoStore
    if name == "MemoryStore":
        from resilience.store._memory import MemoryStore

        return MemoryStore
    raise AttributeError(f"module 'resilience.store' has no attribute {name!r}")
