"""What operators see of a day: windows, marks, single environments, alarms, and links to log lines."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws

from health.operations import alarms, logs, marks
from health.operations.models import Alarms
from health.operations.schedules import roll_up_metrics
from resilience import PerformanceMonitor, default_store, performance_monitor
from resilience.testing import ManualClock
from studysync import aws_clients
from testing.client import Api, Operator, Student, assert_problem
from testing.waiting import wait_until
from tests.contract.conftest import ask

pytestmark = pytest.mark.usefixtures("no_wrong_tokens", "nothing_measured")
ROUTE = "GET /api/spaces"


@pytest.fixture
def nothing_measured(api: Api) -> Iterator[None]:
    """No earlier metrics and no earlier orders."""

    def forget() -> None:
        wait_until(lambda: api.run(performance_monitor.reset_async()))  # a busy machine may be slow to reach the store
        for mark in default_store().query("metrics", sk_prefix="mark#"):
            default_store().delete("metrics", mark.sk)

    forget()
    yield
    forget()


def elsewhere(seconds_ago: float, *, version: str, calls: int = 1) -> None:
    """Count calls in another environment."""
    other = PerformanceMonitor(clock=ManualClock(time.time() - seconds_ago))
    other.describe(service="spaces", version=version)
    other._generation = performance_monitor._generation
    for _ in range(calls):
        other.record(ROUTE, 2.0, detail=f"request-of-{version}")
    assert other.flush()


def test_a_day_is_told_by_ten_minutes(api: Api, operator: Operator) -> None:
    """What the schedule rolled up is counted exactly once in every window that covers it."""
    elsewhere(1_200, version="1", calls=7)
    assert sum(minute["requests"] for minute in ask(operator, "metrics")["minutes"]) == 0
    assert api.run(roll_up_metrics()) in {0, 1, 2}  # depends on the time of day; newer data is read by minute
    for minutes in (180, 1440):
        data = ask(operator, f"metrics?minutes={minutes}")
        assert (data["window_minutes"], data["step_minutes"]) == (minutes, 10)
        assert sum(minute["requests"] for minute in data["minutes"]) == 7
        assert {each["name"]: each["requests"] for each in data["endpoints"] if each["name"] == ROUTE} == {ROUTE: 7}
    assert ask(operator, "metrics?minutes=60")["step_minutes"] == 1


@pytest.mark.parametrize("minutes", ["0", "-1", "1441", "x", "1.5", "1e3", "999999999999"])
@pytest.mark.parametrize("path", ["metrics", "slow-requests"])
def test_a_window_that_makes_no_sense(operator: Operator, path: str, minutes: str) -> None:
    """A window out of range is answered with 400 and costs no work."""
    assert_problem(operator.get(f"/health/{path}?minutes={minutes}"), 400, "VALIDATION_ERROR")


def test_slow_requests_have_an_id(operator: Operator, student: Student) -> None:
    """A slow request has the id of its answer, so that its log lines can be found; in any window."""
    elsewhere(1_200, version="1")
    performance_monitor.slow_seconds, usual = 0.0001, performance_monitor.slow_seconds
    try:
        sent = student.get("/api/users/me").headers["x-request-id"]
    finally:
        performance_monitor.slow_seconds = usual
    (found,) = [
        each for each in ask(operator, "slow-requests?threshold=0")["requests"] if each["name"] == "GET /api/users/me"
    ]
    assert (found["request_id"], found["log_url"]) == (sent, None)
    found = ask(operator, "slow-requests?minutes=1440")["requests"]
    assert [each["request_id"] for each in found if each["name"] == ROUTE] == ["request-of-1"]


def test_a_deployment_is_a_mark(operator: Operator) -> None:
    """A mark is set only where a new version is first seen beside another version of its function."""
    elsewhere(800, version="7")
    elsewhere(600, version="7")
    assert ask(operator, "metrics")["marks"] == []
    elsewhere(300, version="8")
    (mark,) = ask(operator, "metrics")["marks"]
    assert (mark["kind"], mark["text"], mark["who"]) == ("deployment", "spaces 8", None)
    assert abs(datetime.fromisoformat(mark["at"]).timestamp() - (time.time() - 300)) <= 61


def test_the_functions_of_a_deployment_are_one_mark() -> None:
    """Versions that appear together are one mark and a much later one another; those at the window's start are none."""
    seen = [({"service": name, "version": "1"}, 1000) for name in ("users", "spaces")]
    seen += [({"service": "users", "version": "2"}, 2000), ({"service": "spaces", "version": "2"}, 2300)]
    seen += [({"service": "users", "version": "3"}, 9000), ({"service": "sync", "version": "9"}, 9000), ({}, 9000)]
    found = [(mark.at.timestamp(), mark.text) for mark in marks.deployments(seen, 1000)]
    assert found == [(2000, "users 2, spaces 2"), (9000, "users 3")]
    assert marks.deployments([({"service": "a", "version": v}, 1000) for v in "12"], 1000) == []


def test_orders_are_marks(operator: Operator, student: Student) -> None:
    """Orders are marked with the operator's name; marks of orders about accounts do not name the account."""
    operator.post("/health/clear-cache")
    operator.post("/health/circuits/auth/open?seconds=1")
    operator.post("/health/circuits/auth/reset")
    operator.post(f"/health/accounts/{student.user_id}/suspend", {"reason": "a test"})
    operator.post(f"/health/accounts/{student.user_id}/nothing", {"reason": "a test"})
    found = ask(operator, "metrics")["marks"]
    assert [mark["text"] for mark in found] == [
        "clear cache",
        "open circuit auth",
        "reset circuit auth",
        "suspend account",
    ]
    assert {(mark["kind"], mark["who"]) for mark in found} == {("order", "local")}
    assert student.user_id not in str(found)


def test_environments_are_told_one_by_one(operator: Operator, student: Student) -> None:
    """Each environment is listed with its function, version and metrics."""
    elsewhere(60, version="7", calls=9)
    student.get("/api/users/me")
    first, *rest = ask(operator, "environments")["environments"]
    assert (first["service"], first["version"], first["requests"], first["p50_ms"]) == (
        "spaces",
        "7",
        9,
        pytest.approx(2000, rel=0.02),
    )
    assert max(each["requests"] for each in rest) >= 1
    assert len({each["id"] for each in (first, *rest)}) == len(rest) + 1


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A deployed stack with two alarms, one of them raised, beside a stack with one; returns CloudWatch's client."""
    monkeypatch.setenv("STACK_NAME", "studysync-prod")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setitem(alarms._kept, "until", 0.0)
    monkeypatch.setattr(aws_clients, "_clients", {})
    with mock_aws():
        client = boto3.client("cloudwatch")
        for name in (
            "studysync-prod-CircuitOpenedAlarm-1",
            "studysync-prod-ThrottlesAlarm-2",
            "studysync-dev-OtherAlarm-3",
        ):
            client.put_metric_alarm(
                AlarmName=name,
                AlarmDescription="P1: see the runbook",
                MetricName="Errors",
                Namespace="StudySync",
                Period=60,
                Statistic="Sum",
                EvaluationPeriods=1,
                Threshold=1,
                ComparisonOperator="GreaterThanThreshold",
            )
        client.set_alarm_state(AlarmName="studysync-prod-ThrottlesAlarm-2", StateValue="ALARM", StateReason="a test")
        client.set_alarm_state(AlarmName="studysync-prod-CircuitOpenedAlarm-1", StateValue="OK", StateReason="a test")
        yield client
    alarms._kept["until"] = 0.0


def test_alarms_are_read_from_cloudwatch(api: Api, deployed: Any) -> None:
    """Only this stack's alarms are listed, raised ones first, with what to do; they are cached for half a minute."""
    found = api.run(alarms.alarms())
    assert found.available
    assert [(each.name, each.state) for each in found.alarms] == [
        ("ThrottlesAlarm-2", "ALARM"),
        ("CircuitOpenedAlarm-1", "OK"),
    ]
    assert found.alarms[0].description == "P1: see the runbook"
    deployed.set_alarm_state(AlarmName="studysync-prod-ThrottlesAlarm-2", StateValue="OK", StateReason="a test")
    assert api.run(alarms.alarms()) == found
    alarms._kept["until"] = 0.0
    assert [each.state for each in api.run(alarms.alarms()).alarms] == ["OK", "OK"]


def test_alarms_that_cannot_be_asked_are_said(
    api: Api, operator: Operator, deployed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal by CloudWatch and a local stack are not errors, but neither is shown as "no alarms"."""
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    assert ask(operator, "alarms") == {"available": False, "alarms": []}
    monkeypatch.delenv("AWS_SAM_LOCAL")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setattr(aws_clients, "_clients", {})
    assert api.run(alarms.alarms()) == Alarms(available=False, alarms=[])


def test_a_link_asks_logs_insights_for_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    """The link searches every function's log group for half an hour around the request; the id is quoted as text."""
    monkeypatch.setenv("STACK_NAME", "studysync-prod")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    at = datetime(2032, 5, 5, 12, tzinfo=UTC).timestamp()
    link = logs.link("a~b'(c)*/+=:1", at)
    assert link is not None
    head, _, detail = link.partition("$3FqueryDetail$3D")
    assert (
        head == "https://eu-central-1.console.aws.amazon.com/cloudwatch/home?region=eu-central-1#logsV2:logs-insights"
    )
    assert "(c)" not in detail
    read = urllib.parse.unquote(detail.replace("*", "%"))
    assert "filter request_id = 'a~b'(c)*/+=:1'" in read
    assert "start~'2032-05-05T11:45:00" in read
    assert "end~'2032-05-05T12:15:00" in read
    assert all(f"~'/aws/lambda/studysync-prod/{name}" in read for name in ("users", "sessions", "sync", "health"))
    assert logs.link("", at) is None
    monkeypatch.setenv("AWS_SAM_LOCAL", "true")
    assert logs.link("x", at) is None
