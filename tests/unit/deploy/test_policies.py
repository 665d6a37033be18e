"""The functions may do what they do, and nothing else: their policies beside the calls that are made."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from aws_lambda_powertools.utilities import parameters
from botocore.client import BaseClient
from moto import mock_aws

from local.dynamodb import DynamoDB
from resilience import DynamoStore, events
from studysync.settings import Settings
from tests.unit.deploy.conftest import Resources

# What SAM's managed policies and destinations stand for.
NOT_OURS = {"sqs:SendMessage"}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, dynamodb: DynamoDB) -> Iterator[set[str]]:
    """The AWS calls that are made, as IAM names them, answered by moto."""
    made: set[str] = set()
    send = BaseClient._make_api_call

    def record(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        made.add(f"{client.meta.service_model.service_name}:{operation}")
        return send(client, operation, arguments)

    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    for name in ("SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    boto3.client("dynamodb").create_table(
        TableName="policies",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    stop = events.subscribe(lambda event: made.add(f"dynamodb:{event.details['operation']}"), events.STORE_REQUEST)
    parameters.clear_caches()
    with mock_aws():
        secret = json.dumps({"service_role_key": "key", "jwt_secret": "shared"})
        boto3.client("secretsmanager").create_secret(Name="studysync/supabase", SecretString=secret)
        monkeypatch.setattr(BaseClient, "_make_api_call", record)
        yield made
    stop()
    parameters.clear_caches()


def _statements(resources: Resources, function: str) -> list[dict[str, Any]]:
    policies = resources[f"{function}Role"]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def _actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def test_policies_name_exactly_the_calls_that_are_made(
    calls: set[str], functions: Resources, resources: Resources
) -> None:
    """Everything that the store and the settings can ask of AWS is allowed, and nothing that they never ask."""
    store = DynamoStore("policies", read_timeout=10.0)
    store.put("a", "1", {"x": 1})
    store.put_if("a", "2", {"x": 1}, expected_version=None)
    store.get("a", "1")
    store.query("a")
    store.add("a", "3", {"x": 1})
    store.delete("a", "1")
    store.close()
    settings = Settings(supabase_url="https://x.supabase.co", supabase_secret_name="studysync/supabase")
    assert settings.supabase_service_role_key.get_secret_value() == "key"
    for function in functions:
        allowed = {action for statement in _statements(resources, function) for action in _actions(statement)}
        assert allowed - NOT_OURS == calls, function


def test_policies_name_one_table_and_one_secret(functions: Resources, resources: Resources) -> None:
    """No action on everything, and no wildcard but the six characters that Secrets Manager adds to a name."""
    for function in functions:
        for statement in _statements(resources, function):
            assert statement["Effect"] == "Allow"
            assert not [action for action in _actions(statement) if "*" in action]
            assert "*" not in json.dumps(statement["Resource"])


def test_managed_policies_are_logs_and_traces(functions: Resources, resources: Resources) -> None:
    """What SAM adds by itself, and nothing else."""
    for function in functions:
        managed = {arn.rpartition("/")[2] for arn in resources[f"{function}Role"]["Properties"]["ManagedPolicyArns"]}
        assert managed <= {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
