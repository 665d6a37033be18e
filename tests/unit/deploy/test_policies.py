"""The functions may do what they need and nothing else: their policies compared with their calls.

The local stack holds functions to the policies of the template, see `local.policies`; so do these tests, and what it
lets through is the record of the calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from local.dynamodb import DynamoDB
from local.template import Template
from resilience import (
    CacheManager,
    CircuitBreaker,
    DynamoStore,
    EventCounter,
    PerformanceMonitor,
    RateLimiter,
    StoreError,
    cached,
    flush,
)
from resilience.testing import ManualClock
from studysync.settings import Settings
from tests.unit.deploy.conftest import ROOT, Resources

Part = Callable[[DynamoStore, ManualClock], object]
TABLE = "policies"
ALARMS = "cloudwatch:DescribeAlarms"
READ_SWITCHES = {"appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"}
CHANGE_SWITCHES = {
    f"appconfig:{action}"
    for action in ("CreateHostedConfigurationVersion", "DeleteHostedConfigurationVersion", "StartDeployment")
}
"""Of the health function; composite alarms are told only to who may ask for all."""


def circuits(store: DynamoStore, clock: ManualClock) -> None:
    """Open a circuit in two environments simultaneously, so that the second finds the first one's record."""
    other = DynamoStore(TABLE, clock=clock, read_timeout=10.0)
    for breaker in (
        CircuitBreaker("database", store=each, clock=clock, failure_threshold=1) for each in (store, other)
    ):
        with pytest.raises(OSError, match="down"), breaker.guard():
            raise OSError("down")


def limits(*names: str) -> Part:
    """Use up each limit."""

    def count(store: DynamoStore, clock: ManualClock) -> None:
        for name in names:
            limiter = RateLimiter(per_minute=9, name=name, store=store, clock=clock)
            assert [limiter.check("user:1").allowed for _ in range(10)] == [True] * 9 + [False]

    return count


def figures(store: DynamoStore, clock: ManualClock) -> None:
    """Write measurements and errors."""
    monitor, errors = PerformanceMonitor(store=store, clock=clock), EventCounter("errors", store=store, clock=clock)
    monitor.record("GET /", 0.1)
    errors.note("one")
    assert monitor.flush()
    assert errors.flush()


def cache(store: DynamoStore, clock: ManualClock) -> None:
    """Cache a value, find it stale, and refresh it in the background."""
    manager = CacheManager(store=store, clock=clock)

    @cached(60, stale_while_revalidate=30, manager=manager)
    async def read() -> float:
        return clock.wall()

    async def scenario() -> None:
        first = await read()
        clock.advance(61)
        assert await read() == first
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            await task
        assert await read() == first + 61

    asyncio.run(scenario())


def operators(store: DynamoStore, clock: ManualClock) -> None:
    """Read what all environments wrote, and reset it."""
    monitor, errors = PerformanceMonitor(store=store, clock=clock), EventCounter("errors", store=store, clock=clock)
    assert monitor.fleet().complete
    monitor.record("GET /", 0.1)
    monitor.flush()
    clock.advance(600)
    assert monitor.roll_up() == 1
    assert monitor.fleet(24 * 60).names["GET /"].count == 2  # one of `figures`
    assert errors.fleet()[1]
    CacheManager(store=store, clock=clock).clear()
    monitor.reset()
    errors.clear()


EVERY: tuple[Part, ...] = (circuits, limits("api"), figures)
PARTS: dict[str, tuple[Part, ...]] = {
    "UsersFunction": (*EVERY, limits("registration", "sign-in", "sign-in-account", "account-mail", "mail-token")),
    "SessionsFunction": EVERY,
    "GamificationFunction": (*EVERY, cache),
    "SpacesFunction": (*EVERY, limits("invite-codes")),
    "SyncFunction": EVERY,
    "HealthFunction": (*EVERY, operators, limits("operators")),
}


@pytest.fixture
def guarded(dynamodb: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDB]:
    """DynamoDB with a table, with the functions' policies enforced."""
    for name, value in dynamodb.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("RESILIENCE_TABLE", raising=False)
    client = boto3.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    dynamodb.allow(Template.load(ROOT / "template.yaml"))
    os.truncate(dynamodb.child.log, 0)  # of other tests' calls
    yield dynamodb
    client.delete_table(TableName=TABLE)


@pytest.mark.parametrize("function", PARTS)
def test_policies_name_exactly_the_calls_that_are_made(
    function: str, guarded: DynamoDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each function may make the calls that its parts make, and none that they never make."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", function)
    clock = ManualClock()
    store = DynamoStore(TABLE, clock=clock, read_timeout=10.0)
    for part in PARTS[function]:
        part(store, clock)
        flush(None)
    store.close()
    lines = guarded.child.log.read_text(encoding="utf-8").splitlines()
    calls = [call for call in map(json.loads, lines) if call["function"] == function]
    assert [call for call in calls if call["allowed_by"] is None] == []
    allowed = Template.load(ROOT / "template.yaml").permissions()[function]
    assert {(call["action"], call["allowed_by"]) for call in calls} == {
        (each.action, pattern) for each in allowed for pattern in each.keys
    }


@pytest.mark.parametrize("function", PARTS)
def test_every_limit_of_a_domain_may_be_counted(function: str) -> None:
    """If the policies omitted a limit's key, that limit would silently allow everything."""
    folder = ROOT / "functions" / function.removesuffix("Function").lower()
    source = "".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.py"))
    named = set(re.findall(r'RateLimiter\([^)]*name="([^"]+)"', source))
    assert len(named) == source.count("RateLimiter(")
    patterns = {key for each in Template.load(ROOT / "template.yaml").permissions()[function] for key in each.keys}
    assert {key for key in patterns if key.startswith("rate#")} == {f"rate#{name}#*" for name in {"api", *named}}
    assert ("cache#*" in patterns) == ("@cached(" in source)


def test_what_no_policy_allows_is_refused(guarded: DynamoDB, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of another domain cannot read the cache; the store reports why, and works for everything else."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "SpacesFunction")
    store = DynamoStore(TABLE, read_timeout=10.0)
    with pytest.raises(StoreError, match="AccessDeniedException"):
        store.get("cache#0#x", "value")
    with pytest.raises(StoreError, match="AccessDeniedException"):
        store.delete("control", "circuit#database")
    assert store.get("control", "circuit#database") is None  # allowed calls continue
    store.close()
    refused = [json.loads(line) for line in guarded.child.log.read_text(encoding="utf-8").splitlines()]
    assert {
        "function": "SpacesFunction",
        "action": "dynamodb:GetItem",
        "allowed_by": None,
        "key": "cache#0#x",
    } in refused


def _statements(resources: Resources, function: str) -> list[dict[str, Any]]:
    policies = resources[f"{function}Role"]["Properties"]["Policies"]
    return [statement for policy in policies for statement in policy["PolicyDocument"]["Statement"]]


def _actions(statement: dict[str, Any]) -> set[str]:
    action = statement["Action"]
    return {action} if isinstance(action, str) else set(action)


def test_the_secret_is_read_and_nothing_else_asked_for(
    functions: Resources, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Besides the table there are one secret, the switches, and the queue for failed schedules."""
    made: set[str] = set()
    send = BaseClient._make_api_call

    def record(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        made.add(f"{client.meta.service_model.service_name}:{operation}")
        return send(client, operation, arguments)

    for name in ("SUPABASE_SECRET_KEY", "SUPABASE_SERVICE_ROLE_KEY", "SUPABASE_JWT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        secret = json.dumps({"secret_key": ["sb_secret_new", "sb_secret_old"], "jwt_secret": "shared"})
        boto3.client("secretsmanager").create_secret(Name="studysync/supabase", SecretString=secret)
        monkeypatch.setattr(BaseClient, "_make_api_call", record)
        settings = Settings(supabase_url="https://x.supabase.co", supabase_secret_name="studysync/supabase")
        assert settings.api_keys == ("sb_secret_new", "sb_secret_old")
    for function in functions:
        allowed = {
            action
            for statement in _statements(resources, function)
            if statement["Effect"] == "Allow"
            for action in _actions(statement)
            if not action.startswith("dynamodb:")
        }
        queue = {"sqs:SendMessage"} if f"{function}EventInvokeConfig" in resources else set()
        operating = {ALARMS} | CHANGE_SWITCHES if function == "HealthFunction" else set()
        assert allowed == made | queue | READ_SWITCHES | operating, function


def test_policies_name_one_table_and_one_secret(functions: Resources, resources: Resources) -> None:
    """No action has a wildcard resource, except reading alarms, versions of the switches, and a secret's suffix."""
    for function in functions:
        for statement in _statements(resources, function):
            if statement["Effect"] == "Deny":
                continue
            assert not [action for action in _actions(statement) if "*" in action]
            if _actions(statement) != {ALARMS}:
                assert "*" not in json.dumps(statement["Resource"]).replace("/hostedconfigurationversion/*", "")
            if {action for action in _actions(statement) if action.startswith("dynamodb:")}:
                assert statement["Resource"] == {"Fn::GetAtt": ["ResilienceTable", "Arn"]}
                assert statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]


def test_a_function_writes_to_its_own_log_group_only(functions: Resources, resources: Resources) -> None:
    """SAM's policy would allow writing audit lines and other functions' logs, so it is denied."""
    for function, properties in functions.items():
        group = properties["LoggingConfig"]["LogGroup"]["Ref"]
        (denied,) = [each for each in _statements(resources, function) if each["Effect"] == "Deny"]
        assert denied["Action"] == "logs:*"
        named, streams = denied["NotResource"]
        assert named["Fn::Sub"].endswith(f":log-group:${{{group}}}"), function
        assert streams == {"Fn::GetAtt": [group, "Arn"]}


def test_managed_policies_are_logs_and_traces(functions: Resources, resources: Resources) -> None:
    """Managed policies are only those that SAM adds itself."""
    for function in functions:
        managed = {arn.rpartition("/")[2] for arn in resources[f"{function}Role"]["Properties"]["ManagedPolicyArns"]}
        assert managed <= {"AWSLambdaBasicExecutionRole", "AWSXrayWriteOnlyAccess"}
