"""Where environments meet: one narrow protocol, kept in memory or in a DynamoDB table."""

from __future__ import annotations

from resilience.store._dynamo import DynamoStore
from resilience.store._memory import MemoryStore
from resilience.store._protocol import Item, Store, Value

__all__ = ["DynamoStore", "Item", "MemoryStore", "Store", "Value"]
