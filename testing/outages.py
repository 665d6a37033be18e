"""Recovery from an outage that a test caused."""

from __future__ import annotations

from resilience import DynamoStore, configure, default_store


def reconnect() -> None:
    """Switch to a new store after DynamoDB is back: in tests it comes back empty, so the old state is void."""
    before = default_store()
    configure()
    if isinstance(before, DynamoStore):
        before.close()
