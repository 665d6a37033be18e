"""SnapStart: what the first requests of a restored function still have to do."""

from __future__ import annotations

import json
import os
import uuid
from typing import Any

import boto3
import pytest

from local.backends import Backends
from testing.client import Student
from testing.operations import ALL, Operation
from testing.restored import Request, restored

FUNCTIONS = ("users", "sessions", "gamification", "spaces", "sync", "health")
# They end the session that the others need.
LAST = ("/api/auth/logout", "/api/users/me", "/api/auth/sessions", "/api/auth/password")


def request(operation: Operation, student: Student) -> Request:
    """A request that the document allows, from whoever may make it."""
    body, path = operation.body(), operation.concrete(user_id="me")
    query = "&".join(f"{name}=1" for name, _ in operation.parameters("query").items() if name in {"minutes", "limit"})
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"content-type": "application/json", "authorization": f"Bearer {operation.token(student)}"},
        "requestContext": {
            "http": {"method": operation.method, "path": path, "sourceIp": "192.0.2.7"},
            "requestId": operation.name.replace(" ", ":").replace("{", "").replace("}", ""),
            "stage": "$default",
        },
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    return operation.method, operation.path, event


def in_order() -> list[Operation]:
    """All operations; those that end sessions come last."""
    return sorted(ALL, key=lambda each: each.method != "GET" and each.path.startswith(LAST))


@pytest.fixture
def deployed(aws: str, appconfig: Any, backends: Backends) -> dict[str, str]:
    """The environment of a deployed function: its keys in Secrets Manager, its switches in AppConfig."""
    given = ("SWITCHES", "AWS_ENDPOINT_URL_APPCONFIG")
    own = backends.environment | {name: value for name, value in os.environ.items() if name.startswith(given)}
    tokens = json.loads(os.environ["OPERATOR_TOKENS"])
    secret = json.dumps({"secret_key": own.pop("SUPABASE_SECRET_KEY"), "operator_tokens": tokens})
    name = f"studysync/{uuid.uuid4()}"
    boto3.client("secretsmanager", endpoint_url=aws).create_secret(Name=name, SecretString=secret)
    return own | {"SUPABASE_SECRET_NAME": name, "AWS_ENDPOINT_URL_SECRETS_MANAGER": aws}


def test_no_first_request_imports_a_module_or_opens_a_file(deployed: dict[str, str], student: Student) -> None:
    """Of any route of any function, after a restore; and neither does the restore."""
    requests = [request(each, student) for each in in_order()]
    steps = {(function, step.name): step for function in FUNCTIONS for step in restored(function, requests, deployed)}
    assert {name for _, name in steps} == {"restore", *(each.name for each in ALL)}
    assert {name: each for name, each in steps.items() if each.modules or each.files} == {}
    assert {name: each.status for name, each in steps.items() if each.status >= 500} == {}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_snapshot_is_taken_without_a_database(function: str, student: Student) -> None:
    """Deployments do not fail because of it; only more is left to the first request."""
    nowhere = {
        "SUPABASE_URL": "http://127.0.0.1:1",
        "SUPABASE_SECRET_KEY": "sb_secret_key",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "RESILIENCE_TABLE": "table",
    }
    requests = [request(each, student) for each in ALL if each.path == "/health/liveness"]
    restore, *steps = restored(function, requests, nowhere)
    assert restore.name == "restore"
    assert [each.status for each in steps] == [200] * (function == "health")
