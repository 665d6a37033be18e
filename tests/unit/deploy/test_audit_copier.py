"""Audit lines reach a separate log group: filters select them, and the template's function copies them."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from studysync.telemetry.audit import audit_logger
from studysync.telemetry.logging import app_logger
from tests.unit.deploy.conftest import Resources

GROUP = "/aws/lambda/stack/audit"
AT = (int(time.time()) // 60 - 60) * 60_000  # CloudWatch refuses old lines
DAY = datetime.fromtimestamp(AT / 1000, UTC).strftime("%Y/%m/%d")
Copy = Callable[..., None]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The AWS calls that are made, by their IAM names."""
    made: list[str] = []
    send = BaseClient._make_api_call

    def record(client: Any, operation: str, arguments: dict[str, Any]) -> Any:
        made.append(f"{client.meta.service_model.service_name}:{operation}")
        return send(client, operation, arguments)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    return made


@pytest.fixture
def copy(resources: Resources, monkeypatch: pytest.MonkeyPatch, calls: list[str]) -> Iterator[Copy]:
    """Pass lines to the template's function as CloudWatch Logs does, compressed."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.setenv("AUDIT_LOGS", GROUP)
    with mock_aws():
        boto3.client("logs").create_log_group(logGroupName=GROUP)
        calls.clear()
        module: dict[str, Any] = {}
        exec(resources["AuditCopier"]["Properties"]["Code"]["ZipFile"], module)  # the template's own code

        def copy(service: str, *lines: tuple[int, str], kind: str = "DATA_MESSAGE") -> None:
            batch = {
                "messageType": kind,
                "logGroup": f"/aws/lambda/stack/{service}",
                "logEvents": [{"id": str(n), "timestamp": at, "message": line} for n, (at, line) in enumerate(lines)],
            }
            packed = base64.b64encode(gzip.compress(json.dumps(batch).encode())).decode()
            module["handler"]({"awslogs": {"data": packed}}, None)

        yield copy


def _kept() -> dict[str, list[str]]:
    logs = boto3.client("logs")
    names = [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=GROUP)["logStreams"]]
    pages = {name: logs.get_log_events(logGroupName=GROUP, logStreamName=name, startFromHead=True) for name in names}
    return {name: [event["message"] for event in page["events"]] for name, page in pages.items()}


def test_lines_are_copied_in_order(copy: Copy) -> None:
    """Lines go to one stream per day and function, in order of time."""
    copy("users", (AT + 2, "second"), (AT + 1, "first"))
    copy("users", (AT + 3, "third"))
    copy("sync", (AT, "other"))
    copy("sync", kind="CONTROL_MESSAGE")
    assert _kept() == {f"{DAY}/users": ["first", "second", "third"], f"{DAY}/sync": ["other"]}


def test_many_lines_are_copied_in_pieces(copy: Copy, calls: list[str]) -> None:
    """Each call holds as many lines as allowed."""
    copy("users", *[(AT + n, str(n)) for n in range(450)])
    assert calls.count("logs:PutLogEvents") == 3
    assert _kept()[f"{DAY}/users"] == [str(n) for n in range(450)]


def test_it_may_do_what_it_does(copy: Copy, calls: list[str], resources: Resources) -> None:
    """Its role allows the calls it makes, on these groups only, and sending failed events to the queue."""
    copy("users", (AT, "line"))
    (policy,) = resources["AuditCopierRole"]["Properties"]["Policies"]
    copying, failing, _ = policy["PolicyDocument"]["Statement"]
    assert set(copying["Action"]) == set(calls)
    assert failing["Action"] == "sqs:SendMessage"
    assert resources["AuditCopierFailures"]["Properties"]["DestinationConfig"]["OnFailure"]["Destination"] == {
        "Fn::GetAtt": ["FailedSchedules", "Arn"]
    }


def test_every_functions_audit_lines_are_picked(resources: Resources, functions: Resources) -> None:
    """Each group has a filter on a field that only audit lines have; they are kept 30 days, whatever others are."""
    filters = [each["Properties"] for each in resources.values() if each["Type"] == "AWS::Logs::SubscriptionFilter"]
    groups = {function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions.values()}
    assert {each["LogGroupName"]["Ref"] for each in filters} == groups
    assert {each["FilterPattern"] for each in filters} == {'{ $.kind = "audit" }'}
    assert resources["AuditLogs"]["Properties"]["RetentionInDays"] == 30
    handler = app_logger.handlers[0]
    written: list[str] = []
    emit, handler.emit = handler.emit, lambda record: written.append(handler.format(record))  # type: ignore[method-assign]
    try:
        audit_logger.log_authentication(user_id=None, success=False)
        app_logger.log_business_event(event_type="session_completed", xp_awarded=0)
    finally:
        handler.emit = emit  # type: ignore[method-assign]
    assert [json.loads(line)["kind"] for line in written] == ["audit", "business"]
