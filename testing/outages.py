"""Recovery from an outage that a test caused."""

from __future__ import annotations

from resilience import DynamoStore, configure, default_store


def reconnect() -> None:
    """Start with a new store after DynamoDB came back: here it comes back empty, and earlier state is void."""
    before = default_store()
    configure()
    if isinstance(before, DynamoStore):
        before.close()
