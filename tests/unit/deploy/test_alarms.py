"""Alarms look at what is really published, tell somebody, and are explained."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from studysync import observability
from tests.unit.deploy.conftest import ROOT, Resources

# What AWS publishes of itself: the metric, and the dimensions that it comes with.
AWS_METRICS: dict[tuple[str, str], tuple[set[str], ...]] = {
    ("AWS/Lambda", "Errors"): ({"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}),
    ("AWS/Lambda", "Throttles"): ({"FunctionName"},),
    ("AWS/Lambda", "ConcurrentExecutions"): ({"FunctionName"},),
    ("AWS/Lambda", "ClaimedAccountConcurrency"): (set(),),
    ("AWS/DynamoDB", "ReadThrottleEvents"): ({"TableName"},),
    ("AWS/DynamoDB", "WriteThrottleEvents"): ({"TableName"},),
    ("AWS/DynamoDB", "ConsumedReadCapacityUnits"): ({"TableName"},),
    ("AWS/DynamoDB", "ConsumedWriteCapacityUnits"): ({"TableName"},),
    ("AWS/DynamoDB", "SystemErrors"): ({"TableName", "Operation"},),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ({"QueueName"},),
}
# For deployments alone: they watch them, people watch FunctionErrors and ServerErrors.
FOR_DEPLOYMENTS = {"DeploymentErrors", "DeploymentAnswers"}


def _alarms(resources: Resources) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in resources.items() if each["Type"] == "AWS::CloudWatch::Alarm"}


def _metrics(alarm: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Namespace, name and dimensions of everything that an alarm looks at."""
    stats = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", [alarm]) if "MetricStat" in each]
    for metric in stats or [alarm]:
        dimensions = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
        yield metric["Namespace"], metric["MetricName"], dimensions


def _pointed(value: Any) -> list[str]:
    """Which resources or parameters a dimension's value is taken from."""
    if not isinstance(value, dict):
        return []
    if "Fn::Sub" in value:
        return re.findall(r"\$\{(\w+)\}", value["Fn::Sub"])
    return [value.get("Ref") or value["Fn::GetAtt"][0]]


def _is_published(namespace: str, name: str, dimensions: set[str]) -> bool:
    if namespace == observability.NAMESPACE:
        if name == observability.VERSION_ERRORS:
            return dimensions == {"stage", "service", "version"}
        return name in observability.UNITS and dimensions in ({"stage"}, {"stage", "service"})
    return dimensions in AWS_METRICS.get((namespace, name), ())


def test_no_alarm_looks_at_what_nobody_publishes(resources: Resources) -> None:
    """Each metric is one that the code counts (test_observability), or AWS's own, with the dimensions it comes with."""
    for alarm, properties in _alarms(resources).items():
        for namespace, name, dimensions in _metrics(properties):
            assert _is_published(namespace, name, set(dimensions)), (alarm, namespace, name)
            for value in dimensions.values():
                for pointed in _pointed(value):
                    assert pointed == "Stage" or pointed in resources, (alarm, value)


def test_alarms_are_alike_and_tell_somebody(resources: Resources) -> None:
    """Two bad minutes of three, missing data is well, and the topic hears of the beginning and the end."""
    found = {name: each for name, each in _alarms(resources).items() if name not in FOR_DEPLOYMENTS}
    assert len(found) >= 12
    for name, alarm in found.items():
        between_runs = name == "InvariantViolationsAlarm"  # its schedule runs every 5 minutes
        assert (alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]) == ((1, 10) if between_runs else (2, 3)), name
        assert alarm["TreatMissingData"] == "notBreaching", name
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "Alerts"}], name
        periods = {each["MetricStat"]["Period"] for each in alarm.get("Metrics", []) if "MetricStat" in each}
        assert (periods or {alarm["Period"]}) == {60}, name


def test_a_deployment_is_taken_back_for_what_its_own_versions_do(functions: Resources, resources: Resources) -> None:
    """By crashes and by server errors that are answered, of each function, and of the version that is deployed."""
    for name in FOR_DEPLOYMENTS:
        versions = [dimensions for _, _, dimensions in _metrics(_alarms(resources)[name])]
        pointed = [dimensions.get("ExecutedVersion") or dimensions["version"] for dimensions in versions]
        published = {each["Fn::GetAtt"][0] for each in pointed if each["Fn::GetAtt"][1] == "Version"}
        assert len(published) == len(functions), name
        for version in published:
            assert resources[version]["Type"] == "AWS::Lambda::Version", name
    for function in functions:
        group = resources[f"{function}DeploymentGroup"]["Properties"]
        assert {each["Name"]["Ref"] for each in group["AlarmConfiguration"]["Alarms"]} == FOR_DEPLOYMENTS


def test_every_alarm_is_explained(resources: Resources) -> None:
    """The runbook has a chapter for each, of more than a line, and none for what is gone."""
    chapters = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8").split("\n## ")[1:]
    explained = {title: text for title, _, text in (chapter.partition("\n") for chapter in chapters)}
    expected = {name.removesuffix("Alarm") for name in _alarms(resources)}
    assert set(explained) == expected
    assert min(len(text.split()) for text in explained.values()) > 25


def test_the_dashboard_shows_what_is_published(resources: Resources) -> None:
    """The body is JSON once names are filled in, and every metric of it exists."""
    body = resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[^}]+\}", "x", body))["widgets"]
    assert len(widgets) == 9
    for widget in widgets:
        for metric in widget["properties"]["metrics"]:
            *names, _ = metric
            assert _is_published(names[0], names[1], set(names[2::2])), names
    assert set(re.findall(r"\$\{(\w+)\}", body)) <= set(resources) | {"Stage"}
