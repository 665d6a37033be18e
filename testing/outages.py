"""What a test does about an outage that it made."""

from __future__ import annotations

from resilience import DynamoStore, configure, default_store


def reconnect() -> None:
    """Begin with a new store after DynamoDB came back: here it comes back empty, and what was known of it is void."""
    before = default_store()
    configure()
    if isinstance(before, DynamoStore):
        before.close()
