"""A DynamoDB table in moto's server, which evaluates the real conditions over the real protocol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import count

import boto3
import pytest

import resilience
from local.dynamodb import DynamoDB
from resilience import events

_numbers = count()


@pytest.fixture
def table(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a new table that the environment points to."""
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RESILIENCE_TABLE", raising=False)  # where other tests of this process have a table
    name = f"resilience-{next(_numbers)}"
    create_table(name)
    yield name
    resilience.configure()


@pytest.fixture
def requests() -> Iterator[Counter[str]]:
    """The number of requests sent to DynamoDB during the test, by operation."""
    counts: Counter[str] = Counter()
    stop = events.subscribe(lambda event: counts.update([str(event.details["operation"])]), events.STORE_REQUEST)
    yield counts
    stop()


def create_table(name: str) -> None:
    """Create a table with the keys that the layer needs."""
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )
