"""The API and its functions in the transformed template."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

from local.gateway.routing import Router
from local.intrinsics import read_template
from local.template import Route, Template
from tests.unit.deploy.conftest import ROOT, Resources

DOMAINS = {"auth": "Users"} | {
    name: name.capitalize() for name in ("users", "sessions", "gamification", "spaces", "sync", "health")
}
GATEWAY_SECONDS = 30


def _of_type(resources: Resources, kind: str) -> Resources:
    return {name: entry["Properties"] for name, entry in resources.items() if entry["Type"] == kind}


def _expected(path: str) -> str:
    parts = path.split("/")
    return DOMAINS.get(parts[2] if parts[1] == "api" else parts[1], "Health") + "Function"


def test_every_operation_reaches_its_function(resources: Resources) -> None:
    """Each path of the OpenAPI document is routed to the alias of its domain's function."""
    paths = resources["Api"]["Properties"]["Body"]["paths"]
    routes = [Route("ANY", path, _integration(methods)) for path, methods in paths.items()]
    router = Router(routes)
    document = json.loads((ROOT / "functions/health/openapi.json").read_text(encoding="utf-8"))
    for path, methods in document["paths"].items():
        for method in methods:
            found = router.match(method.upper(), path.replace("{", "").replace("}", ""))
            assert found is not None, path
            assert found.route.function == f"{_expected(path)}Aliaslive", (method, path)


def _integration(methods: dict[str, Any]) -> str:
    (method,) = methods.values()
    uri: str = method["x-amazon-apigateway-integration"]["uri"]["Fn::Sub"]
    return uri.partition("functions/${")[2].partition("}")[0]


def test_the_gateway_logs_and_throttles(resources: Resources) -> None:
    """There is one access log line per request, without query strings and headers, and a limit for every route."""
    (stage,) = _of_type(resources, "AWS::ApiGatewayV2::Stage").values()
    line = stage["AccessLogSettings"]["Format"]
    assert line.split(" ")[0] == "$context.requestId"
    assert "queryString" not in line
    # What the gateway throttled never reached a function: the filter finds status and duration by their places.
    pattern = resources["GatewayThrottles"]["Properties"]["FilterPattern"].strip("[]").split(", ")
    fields = line.split(" ")
    assert pattern[fields.index("$context.status")] == "status = 429"
    assert pattern[fields.index("$context.integrationLatency")] == 'function_ms = "-"'
    assert fields[-1] == '"$context.path"'
    assert {"ThrottlingRateLimit", "ThrottlingBurstLimit"} <= set(stage["DefaultRouteSettings"])


def test_functions_are_alike(functions: Resources) -> None:
    """There is one function per domain, with the same runtime and a timeout below the gateway's."""
    assert {name.removesuffix("Function") for name in functions} == set(DOMAINS.values())
    common = ("Runtime", "Architectures", "TracingConfig", "SnapStart", "Layers")
    assert len({json.dumps([function[name] for name in common]) for function in functions.values()}) == 1
    assert max(function["Timeout"] for function in functions.values()) < GATEWAY_SECONDS


def test_every_function_has_a_log_group_of_its_own(functions: Resources, resources: Resources) -> None:
    """The stack creates the log group, so that its retention is limited."""
    groups = {name: function["LoggingConfig"]["LogGroup"]["Ref"] for name, function in functions.items()}
    assert len(set(groups.values())) == len(functions)
    for group in _of_type(resources, "AWS::Logs::LogGroup").values():
        assert group["RetentionInDays"] == {"Ref": "LogRetentionDays"} or isinstance(group["RetentionInDays"], int)


def test_every_function_knows_its_environment(functions: Resources) -> None:
    """The environment has the project, the table and the log name, and only names of secrets."""
    for name, function in functions.items():
        variables = function["Environment"]["Variables"]
        assert variables["POWERTOOLS_SERVICE_NAME"] == name.removesuffix("Function").lower()
        assert {"STAGE", "SUPABASE_URL", "SUPABASE_SECRET_NAME", "RESILIENCE_TABLE"} <= set(variables)
        secrets = [key for key in variables if key.endswith(("_KEY", "_TOKEN", "_PASSWORD", "JWT_SECRET"))]
        assert [key for key in secrets if variables[key]] == []


def test_every_function_is_called_through_its_alias(functions: Resources, resources: Resources) -> None:
    """Deployments are canaries in prod and immediate elsewhere; errors roll back both."""
    aliases, groups = (
        _of_type(resources, "AWS::Lambda::Alias"),
        _of_type(resources, "AWS::CodeDeploy::DeploymentGroup"),
    )
    for name in functions:
        assert aliases[f"{name}Aliaslive"]["Name"] == "live"
        group = groups[f"{name}DeploymentGroup"]
        assert group["AlarmConfiguration"]["Alarms"], name
        condition, prod, other = group["DeploymentConfigName"]["Fn::If"]
        assert condition == "IsProd"
        assert "Canary" in json.dumps(prod)
        assert "AllAtOnce" in json.dumps(other)


def test_versions_go_with_their_successor(functions: Resources, resources: Resources) -> None:
    """A snapshot's cache is billed for as long as its version exists."""
    versions = [each for each in resources.values() if each["Type"] == "AWS::Lambda::Version"]
    assert len(versions) == len(functions)
    assert {each["DeletionPolicy"] for each in versions} == {"Delete"}


def test_every_build_publishes_every_function(translate: Callable[..., Resources]) -> None:
    """SAM does not publish a version when only a layer changed, and the alias would keep the old layer."""
    same, before, after = (
        set(_of_type(translate(build=build), "AWS::Lambda::Version")) for build in ("one", "one", "two")
    )
    assert same == before
    assert not before & after


def test_schedules_leave_what_they_could_not_do(resources: Resources) -> None:
    """Failed schedule invocations go to the queue, whether delivery or the function failed, under the stack's names."""
    schedules = _of_type(resources, "AWS::Scheduler::Schedule")
    failed = {"Fn::GetAtt": ["FailedSchedules", "Arn"]}
    configs = _of_type(resources, "AWS::Lambda::EventInvokeConfig")
    for name, schedule in schedules.items():
        target = schedule["Target"]
        assert target["DeadLetterConfig"] == {"Arn": failed}, name
        assert target["Arn"]["Ref"].endswith("Aliaslive"), name
        assert "${AWS::StackName}" in schedule["Name"]["Fn::Sub"], name
        config = configs[target["Arn"]["Ref"].removesuffix("Aliaslive") + "EventInvokeConfig"]
        assert config["DestinationConfig"]["OnFailure"]["Destination"] == failed


def test_the_local_stack_reads_it(functions: Resources, resources: Resources) -> None:
    """`make serve` finds the same functions, schedules and tables in the template as CloudFormation creates."""
    template = Template.load(ROOT / "template.yaml")
    assert set(template.functions()) == set(functions)
    assert len(template.schedules()) == len(_of_type(resources, "AWS::Scheduler::Schedule"))
    assert set(template.tables()) == set(_of_type(resources, "AWS::DynamoDB::Table"))


def test_environments_name_parameters_that_exist() -> None:
    """Every override in samconfig.toml is a template parameter, and every required parameter is given."""
    config = tomllib.loads((ROOT / "samconfig.toml").read_text(encoding="utf-8"))
    parameters = read_template((ROOT / "template.yaml").read_text(encoding="utf-8"))["Parameters"]
    required = {name for name, entry in parameters.items() if "Default" not in entry}
    for stage in ("dev", "staging", "prod"):
        deploy = config[stage]["deploy"]["parameters"]
        given = dict(entry.split("=", 1) for entry in deploy["parameter_overrides"])
        assert given["Stage"] == stage
        assert set(given) == set(parameters)  # one that is left out keeps its previous value
        assert required <= set(given)
        assert stage in deploy["stack_name"]


def test_sample_events_fit_their_functions() -> None:
    """Each sample is a request of payload 2.0, or the input of one of the template's schedules."""
    sent = {schedule.input for schedule in Template.load(ROOT / "template.yaml").schedules()}
    samples = list((ROOT / "events").glob("*.json"))
    assert samples
    for path in samples:
        event = json.loads(path.read_text(encoding="utf-8"))
        if "schedule" in event:
            assert json.dumps(event) in sent, path.name
        else:
            assert event["version"] == "2.0", path.name
            assert event["rawPath"] == event["requestContext"]["http"]["path"], path.name


def test_sam_local_passes_every_variable_on(functions: Resources) -> None:
    """SAM silently drops variables that a function's environment does not name."""
    given = json.loads((ROOT / "local/env.json").read_text(encoding="utf-8"))
    assert set(given) == {"Parameters"}
    for name, function in functions.items():
        assert set(given["Parameters"]) <= set(function["Environment"]["Variables"]), name
