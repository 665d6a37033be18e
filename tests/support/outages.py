"""What a test does about an outage that it made."""

from __future__ import annotations

from resilience import DynamoStore, default_store


def reconnect() -> None:
    """Have DynamoDB asked again at once after it came back: the store leaves it alone for a few seconds otherwise."""
    store = default_store()
    if isinstance(store, DynamoStore):
        store.close()
