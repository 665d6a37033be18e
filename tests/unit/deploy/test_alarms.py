"""Alarms use metrics that are published, notify somebody, and are explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from studysync.telemetry import metrics
from tests.unit.deploy.conftest import ROOT, Resources

# Metrics that AWS publishes itself, with their dimensions.
AWS_METRICS: dict[tuple[str, str], tuple[set[str], ...]] = {
    ("AWS/Lambda", "Errors"): ({"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}),
    ("AWS/Lambda", "Invocations"): ({"FunctionName", "Resource", "ExecutedVersion"},),
    ("AWS/Lambda", "Throttles"): ({"FunctionName"},),
    ("AWS/ApiGateway", "Count"): ({"ApiId"},),
    ("AWS/ApiGateway", "5xx"): ({"ApiId"},),
    ("AWS/ApiGateway", "Latency"): ({"ApiId"},),
    ("AWS/Lambda", "ConcurrentExecutions"): ({"FunctionName"},),
    ("AWS/Lambda", "ClaimedAccountConcurrency"): (set(),),
    ("AWS/DynamoDB", "ReadThrottleEvents"): ({"TableName"},),
    ("AWS/DynamoDB", "WriteThrottleEvents"): ({"TableName"},),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): ({"TableName"},),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): ({"TableName"},),
    ("AWS/DynamoDB", "SystemErrors"): ({"TableName", "Operation"},),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ({"QueueName"},),
}
# These also roll back a deployment.
FOR_DEPLOYMENTS = {f"{name}Deployment" for name in ("Users", "Sessions", "Gamification", "Spaces", "Sync", "Health")}
# Two of them make up an objective's alarm.
WINDOW = re.compile(r"(Availability|Latency)(Fast|Slow)(Hour|FiveMinutes|SixHours|HalfHour)")
PROBED = {"Ready", "ProbeLatency", "CertificateDays"}


def _alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}


def _metrics(alarm: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Namespace, name and dimensions of every metric that an alarm uses."""
    stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", [alarm]) if "MetricStat" in each]
    for metric in stats or [alarm]:
        dimensions = {each["Name"]: each["Value"] for each in metric.get("Dimensions", [])}
        yield json.dumps(metric["Namespace"]).strip('"'), metric["MetricName"], dimensions


def _pointed(value: Any) -> list[str]:
    """The resources or parameters that a dimension's value comes from."""
    if not isinstance(value, dict):
        return []
    if "Fn::Sub" in value:
        return re.findall(r"\$\{(\w+)\}", value["Fn::Sub"])
    return [value.get("Ref") or value["Fn::GetAtt"][0]]


def _is_published(namespace: str, name: str, dimensions: set[str]) -> bool:
    if namespace == metrics.NAMESPACE:
        if name == metrics.VERSION_ERRORS:
            return dimensions == {"stage", "service", "version"}
        return name in metrics.UNITS and dimensions in ({"stage"}, {"stage", "service"})
    if namespace == "StudySync/Probe":
        return name in PROBED and dimensions == {"stage"}
    if "StudySync/${AWS::StackName}" in namespace:
        return name == "GatewayThrottles" and not dimensions
    return dimensions in AWS_METRICS.get((namespace, name), ())


def test_no_alarm_looks_at_what_nobody_publishes(resources: Resources) -> None:
    """Each metric is one that the code counts or one of AWS's own, with its dimensions."""
    for alarm, properties in _alarms(resources).items():
        for namespace, name, dimensions in _metrics(properties):
            assert _is_published(namespace, name, set(dimensions)), (alarm, namespace, name)
            for value in dimensions.values():
                for pointed in _pointed(value):
                    assert pointed == "Stage" or pointed in resources, (alarm, value)


def test_alarms_are_alike_and_tell_somebody(resources: Resources) -> None:
    """One bad minute raises no alarm; missing data is fine, except where it is the fault."""
    found = {name: each for name, each in _alarms(resources).items() if not WINDOW.fullmatch(name)}
    for name, alarm in found.items():
        assert (1 if name == "InvariantViolationsAlarm" else 2) <= alarm["DatapointsToAlarm"], name
        assert alarm["DatapointsToAlarm"] < alarm["EvaluationPeriods"], name
        assert alarm["TreatMissingData"] == ("breaching" if name == "UnreachableAlarm" else "notBreaching"), name
        assert alarm["AlarmActions"] == [{"Ref": "Alerts"}], name
        assert name in FOR_DEPLOYMENTS or alarm["OKActions"] == alarm["AlarmActions"], name


def test_objectives_are_watched_by_two_windows_each(resources: Resources) -> None:
    """A short window ends the alarm soon after the errors, and a long one ignores a few errors."""
    windows = {name for name in _alarms(resources) if WINDOW.fullmatch(name)}
    seen = set()
    for name, each in resources.items():
        if each["Type"] == "AWS::CloudWatch::CompositeAlarm":
            both = re.findall(r"\$\{(\w+)\}", each["Properties"]["AlarmRule"]["Fn::Sub"])
            assert len(both) == 2, name
            assert all(window.startswith(name.removesuffix("Burn")) for window in both), name
            assert each["Properties"]["AlarmActions"] == [{"Ref": "Alerts"}], name
            seen |= set(both)
    assert seen == windows


def test_a_deployment_is_taken_back_for_what_its_own_version_does(functions: Resources, resources: Resources) -> None:
    """A rollback depends on the new version's share of crashes and server errors, and on a walk through it."""
    for function in functions:
        name = f"{function.removesuffix('Function')}Deployment"
        metrics = list(_metrics(_alarms(resources)[name]))
        assert {metric for _, metric, _ in metrics} == {"Errors", "Invocations", "VersionErrors"}, name
        for _, _, dimensions in metrics:
            version = dimensions.get("ExecutedVersion") or dimensions["version"]
            assert version["Fn::GetAtt"][0].startswith(f"{function}Version"), name
        group = resources[f"{function}DeploymentGroup"]["Properties"]
        assert [each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]] == [name]
        hook = resources[f"{function}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"][
            "BeforeAllowTrafficHook"
        ]
        assert hook == {"Ref": "SmokeTest"}


def _chapter(name: str) -> str:
    if name in FOR_DEPLOYMENTS:
        return "Deployments"
    return window[1] if (window := WINDOW.fullmatch(name)) else name.removesuffix("Alarm")


def test_every_alarm_says_how_bad_it_is_and_where_to_read_on(resources: Resources) -> None:
    """A description starts with the severity, and ends with the address of its runbook chapter."""
    for name, alarm in _alarms(resources).items():
        text = alarm["AlarmDescription"]["Fn::Sub"]
        assert re.fullmatch(r"P[123]: .*\. \$\{RunbookUrl\}#" + _chapter(name).lower(), text), (name, text)


def test_every_alarm_is_explained(resources: Resources) -> None:
    """The runbook has a chapter of more than one line for each alarm, and none for removed ones."""
    chapters = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").split("\n## ")[1:]
    explained = {title: text for title, _, text in (chapter.partition("\n") for chapter in chapters)}
    expected = {_chapter(name) for name in _alarms(resources)}
    assert set(explained) == expected
    assert min(len(text.split()) for text in explained.values()) > 25


def test_the_dashboard_shows_what_is_published(resources: Resources) -> None:
    """The body is valid JSON after substitution, and every metric in it exists."""
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    assert widgets
    for widget in widgets:
        for metric in widget["properties"]["metrics"]:
            *names, _ = metric
            assert _is_published(names[0], names[1], set(names[2::2])), names
    assert set(re.findall(r"\$\{(\w+)\}", body)) <= set(resources) | {"Stage"}
