"""The walk through a new version and the probe of the public address, whose code is in the template."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from testing.handlers import handlers
from tests.unit.deploy.conftest import Resources

Walk = Callable[..., str]


def _code(resources: Resources, name: str) -> dict[str, Any]:
    module: dict[str, Any] = {}
    exec(resources[name]["Properties"]["Code"]["ZipFile"], module)  # the template's own code
    return module


@pytest.fixture
def walk(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> Walk:
    """Run the walk as CodeDeploy does, over functions that `answer`; returns the status reported to CodeDeploy."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in resources["SmokeTest"]["Properties"]["Environment"]["Variables"]:
        monkeypatch.setenv(name, f"arn:aws:lambda:eu-central-1:1:function:{name.lower()}:7")
    module = _code(resources, "SmokeTest")
    told: list[dict[str, str]] = []

    def walk(answer: Callable[[str, Any], Any]) -> str:
        class Lambda:
            @staticmethod
            def invoke(FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803 - boto3's
                found = answer(FunctionName.split(":")[-2], json.loads(Payload))
                return {"Payload": io.BytesIO(json.dumps(found).encode())}

        class CodeDeploy:
            @staticmethod
            def put_lifecycle_event_hook_execution_status(**status: str) -> None:
                told.append(status)

        module["lambdas"], module["deployments"] = Lambda, CodeDeploy
        module["handler"]({"DeploymentId": "d-1", "LifecycleEventHookExecutionId": "hook"}, None)
        assert (told[-1]["deploymentId"], told[-1]["lifecycleEventHookExecutionId"]) == ("d-1", "hook")
        return told[-1]["status"]

    return walk


def test_the_walk_knows_what_the_functions_answer(walk: Walk, tmp_path: Any) -> None:
    """Every function answers as the walk expects, except health, which is not ready without a database."""
    seen: dict[str, int] = {}
    with handlers(tmp_path) as handle:

        def answer(function: str, event: Any) -> Any:
            found = handle(function, event)
            seen[function] = found["statusCode"]
            return found if function != "health" else {"statusCode": 200}

        assert walk(answer) == "Succeeded"
        assert seen == dict.fromkeys(("users", "sessions", "gamification", "spaces", "sync"), 401) | {"health": 503}
        assert walk(handle) == "Failed"


@pytest.mark.parametrize("found", [{"statusCode": 500}, {"errorMessage": "boom"}, None, []], ids=str)
def test_a_function_that_answers_otherwise_stops_the_deployment(walk: Walk, found: Any) -> None:
    """Any other answer stops the deployment; CodeDeploy is always informed, or it would wait for an hour."""
    assert walk(lambda _function, _event: found) == "Failed"


def test_the_probe_says_what_it_met(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that does not answer is a 0 with the reason, in the metric that the alarm uses."""
    monkeypatch.setenv("STAGE", "dev")
    monkeypatch.setenv("BASE_PATH", "v1")
    monkeypatch.setenv("HOST", "127.0.0.1:1")
    _code(resources, "Probe")["handler"]({}, None)
    line = json.loads(capsys.readouterr().out)
    (declared,) = line["_aws"]["CloudWatchMetrics"]
    assert (declared["Namespace"], declared["Dimensions"]) == ("StudySync/Probe", [["stage"]])
    assert [each["Name"] for each in declared["Metrics"]] == ["Ready"]
    assert line["Ready"] == 0
    assert re.match("Connection", line["error"])
    assert resources["UnreachableAlarm"]["Properties"]["MetricName"] == "Ready"
