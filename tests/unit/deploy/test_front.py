"""CloudFront and the deployment's roles: templates, functions and the guide agree."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import Any

import pytest

from local.intrinsics import Resolver, read_template
from studysync.aws import http_events
from tests.unit.deploy.conftest import ROOT

GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")


def _template(name: str) -> dict[str, Any]:
    return read_template((ROOT / name).read_text(encoding="utf-8"))


@pytest.fixture
def front() -> dict[str, Any]:
    """The resources of the front, by name."""
    return {name: entry["Properties"] for name, entry in _template("deploy/front.yaml")["Resources"].items()}


@pytest.mark.parametrize("name", ["deploy/front.yaml", "deploy/role.yaml"])
def test_the_guide_gives_what_a_template_needs(name: str) -> None:
    """The guide's command names every parameter without a default, and no unknown one."""
    command = re.search(rf"aws cloudformation deploy[^`]*{name}[^`]*--parameter-overrides([^`]*)`", GUIDE)
    assert command is not None
    given = set(re.findall(r"(\w+)=", command[1]))
    parameters = _template(name)["Parameters"]
    assert {each for each, entry in parameters.items() if "Default" not in entry} <= given <= set(parameters)


def test_the_origin_is_shown_what_functions_ask_for(front: dict[str, Any]) -> None:
    """The secret and the caller's address are sent under the names that functions read."""
    (origin,) = front["Front"]["DistributionConfig"]["Origins"]
    (header,) = origin["OriginCustomHeaders"]
    read = (ROOT / "layers/core/studysync/aws/http_events.py").read_text(encoding="utf-8")
    assert f'headers.get("{header["HeaderName"].lower()}")' in read
    assert "resolve:secretsmanager" in json.dumps(header["HeaderValue"])
    assert 'headers.get("x-viewer-address")' in read
    assert http_events.is_let_in({"requestContext": {"domainName": "x"}, "headers": {}})  # without CloudFront


@pytest.mark.skipif(shutil.which("node") is None, reason="no node on this machine")
def test_the_address_is_that_of_who_calls(front: dict[str, Any]) -> None:
    """The caller's address is CloudFront's, whatever the client sent in that header."""
    code = front["ViewerAddress"]["FunctionCode"]
    event = {
        "viewer": {"ip": "203.0.113.9"},
        "request": {"headers": {"x-viewer-address": {"value": "198.51.100.1"}, "accept": {"value": "*/*"}}},
    }
    script = f"{code}\nconsole.log(JSON.stringify(handler({json.dumps(event)})))"
    done = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["headers"] == {
        "x-viewer-address": {"value": "203.0.113.9"},
        "accept": {"value": "*/*"},
    }


def test_nothing_is_kept_or_left_out_on_the_way(front: dict[str, Any]) -> None:
    """Every method passes, with query and headers, to an origin that is reached over TLS only."""
    config = front["Front"]["DistributionConfig"]
    behavior = config["DefaultCacheBehavior"]
    assert set(behavior["AllowedMethods"]) == {"GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"}
    assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's own: CachingDisabled
    passed = front["Passed"]["OriginRequestPolicyConfig"]
    assert passed["QueryStringsConfig"] == {"QueryStringBehavior": "all"}
    assert passed["HeadersConfig"] == {"HeaderBehavior": "allExcept", "Headers": ["host"]}
    assert config["Origins"][0]["CustomOriginConfig"]["OriginProtocolPolicy"] == "https-only"


def test_one_address_is_told_when_to_come_back(front: dict[str, Any]) -> None:
    """Rules have distinct priorities, and the limit says how long it counts."""
    rules = front["Rules"]["Rules"]
    assert [rule["Priority"] for rule in rules] == list(range(len(rules)))
    limit = rules[0]
    window = limit["Statement"]["RateBasedStatement"]
    assert window["AggregateKeyType"] == "IP"
    answer = limit["Action"]["Block"]["CustomResponse"]
    assert answer["ResponseCode"] == 429
    assert answer["ResponseHeaders"] == [{"Name": "Retry-After", "Value": str(window["EvaluationWindowSec"])}]


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://Api.execute-api.us-east-1.amazonaws.com"),
        ({"DomainName": "api.test"}, "https://api.test"),
        ({"DomainName": "api.test", "BasePath": "v1"}, "https://api.test/v1"),
        ({"DomainName": "origin.test", "PublicName": "api.test"}, "https://api.test"),
        ({"DomainName": "origin.test", "PublicName": "api.test", "BasePath": "v1"}, "https://api.test/v1"),
    ],
)
def test_the_output_is_where_clients_call(given: dict[str, str], url: str) -> None:
    """The pipeline calls the output address, because an origin behind CloudFront would refuse it."""
    document = _template("template.yaml")
    resolver = Resolver(document, {"Api": "Api"}, {"Stage": "prod", **given})
    assert resolver.resolve(document["Outputs"]["ApiUrl"]["Value"]) == url


def test_the_guide_names_what_the_workflows_read() -> None:
    """The guide lists every variable and secret that must be set by hand, and no unused one."""
    text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").glob("deploy*.yml"))
    read = set(re.findall(r"\$\{\{ (?:secrets|vars)\.(\w+) \}\}", text)) - {"GITHUB_TOKEN"}
    assert read
    assert {name for name in read if f"`{name}`" not in GUIDE} == set()
    told = set(
        re.findall(r"`((?:AWS|SUPABASE)_[A-Z_]+)`", GUIDE.partition("## GitHub Actions")[2].partition("## In front")[0])
    )
    assert told <= read
