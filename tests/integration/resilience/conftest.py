"""A DynamoDB table in moto: it evaluates the real conditions, in this process, without a network."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

import resilience

TABLE = "resilience"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    # Where other tests of this process have a server of their own.
    for name in ("AWS_ENDPOINT_URL_DYNAMODB", "RESILIENCE_TABLE"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        create_table()
        yield TABLE
        resilience.configure()


def create_table() -> None:
    keys = [("pk", "HASH"), ("sk", "RANGE")]
    boto3.client("dynamodb", region_name="eu-central-1").create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],  # type: ignore[typeddict-item]
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
    )
