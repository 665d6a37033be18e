"""Events from AWS's documentation and from proxies, through the handler of every function."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from testing.handlers import Handlers, handlers
from tests.unit.deploy.conftest import ROOT

Event = dict[str, Any]
DOCUMENTED: dict[str, Event] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "testing/aws_events").glob("*.json"))
}
REQUESTS = ("http_api_1", "http_api_2", "function_url", "rest_api", "load_balancer")
OTHERS = sorted(set(DOCUMENTED) - set(REQUESTS))
DOMAINS = ("users", "sessions", "gamification", "spaces", "sync", "health")


@pytest.fixture(scope="module")
def handle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Handlers]:
    """The handlers of all six functions."""
    with handlers(tmp_path_factory.mktemp("events")) as running:
        yield running


def request(source: str, path: str, method: str = "GET", **headers: str) -> Event:
    """A documented request with another path, in its source's format."""
    event = deepcopy(DOCUMENTED[source])
    event["body"] = None
    event["headers"] = {**(event["headers"] or {}), **headers}
    event.pop("multiValueHeaders", None)
    if "rawPath" in event:
        event["rawPath"] = event["requestContext"]["http"]["path"] = path
        event["requestContext"]["http"]["method"] = method
        event["rawQueryString"] = ""
    else:
        event["path"], event["httpMethod"] = path, method
        event["resource"] = path
    return event


@pytest.mark.parametrize("function", DOMAINS)
@pytest.mark.parametrize("source", REQUESTS)
def test_documented_requests_are_answered(handle: Handlers, function: str, source: str) -> None:
    """The documented paths are not ours and their bodies are not JSON: each gets the contract's 404, a POST a 415."""
    answer = handle(function, DOCUMENTED[source])
    posted = source in {"http_api_2", "function_url"}
    assert answer["statusCode"] == (415 if posted else 404)
    assert json.loads(answer["body"])["error_code"] == ("UNSUPPORTED_MEDIA_TYPE" if posted else "NOT_FOUND")


@pytest.mark.parametrize("function", DOMAINS)
@pytest.mark.parametrize("source", OTHERS)
def test_other_events_are_a_logged_no_op(handle: Handlers, function: str, source: str) -> None:
    """Warmers, schedules without our input, notifications and websockets cause a log line and no error."""
    before = handle.log.count("ignored an event")
    assert handle(function, DOCUMENTED[source]) is None
    assert handle.log.count("ignored an event") == before + 1


@pytest.mark.parametrize(
    "event",
    [
        {},
        [],
        None,
        "ping",
        7,
        {"schedule": "nothing"},
        {"schedule": ["close_silent_sessions"]},
        {"schedule": None},
        {"requestContext": None},
        {"requestContext": {}, "httpMethod": "GET"},
        {"version": "2.0", "requestContext": {"http": {}}},
        {"version": "2.0", "requestContext": {"http": "GET /"}},
        {"version": "2.0", "rawPath": 7, "requestContext": {"http": {"method": "GET"}}},
        {"warmer": True, "concurrency": 3},
    ],
    ids=str,
)
def test_what_is_no_event_is_a_no_op(handle: Handlers, event: Any) -> None:
    """A function that is invoked by hand with any value, or with half a request, does nothing."""
    for function in ("sessions", "users"):
        assert handle(function, event) is None


@pytest.mark.parametrize("source", REQUESTS)
@pytest.mark.parametrize(
    "headers",
    [
        {"host": "api.example.com", "x-forwarded-port": "443,443"},
        {"host": "api.example.com:abc"},
        {"host": "api.example.com:443:443"},
        {"host": "[::1]:8000"},
        {"host": "[::1"},
        {"host": ""},
        {"host": "a:99999999999", "x-forwarded-port": ""},
        {"x-forwarded-port": "http"},
        {"Host": "UPPER.example.com:8443", "X-Forwarded-Proto": "https,http"},
    ],
    ids=str,
)
def test_odd_ports_and_hosts_are_served(handle: Handlers, source: str, headers: dict[str, str]) -> None:
    """Unusual ports and hosts, added by proxies or made up by clients, have no effect."""
    answer = handle("health", request(source, "/health", **headers))
    assert answer["statusCode"] == 200, answer
    assert handle("users", request(source, "/api/users/me", **headers))["statusCode"] == 401
    assert handle("users", request(source, "/api/nothing", **headers))["statusCode"] == 404


def _instance(answer: Event) -> str:
    instance: str = json.loads(answer["body"])["instance"]
    return instance


@pytest.mark.parametrize(
    ("source", "sent"),
    [
        # The client sent /api/users/%256d%2565.
        ("http_api_2", "/api/users/%6d%65"),
        ("http_api_1", "/api/users/%6d%65"),
        ("function_url", "/api/users/%256d%2565"),
        ("rest_api", "/api/users/%256d%2565"),
        ("load_balancer", "/api/users/%256d%2565"),
    ],
)
def test_paths_are_decoded_once(handle: Handlers, source: str, sent: str) -> None:
    """A path that is decoded twice would be `me`, unlike what the gateway saw; decoded once it is an unknown id."""
    assert _instance(handle("users", request(source, sent, "TRACE"))) in {
        "/api/users/%6d%65",
        "/api/users/%256d%2565",  # the same as a URI reference
    }


@pytest.mark.parametrize(("source", "sent"), [("http_api_2", "/api/what?is"), ("function_url", "/api/what%3Fis")])
def test_a_question_mark_in_a_path_begins_no_query(handle: Handlers, source: str, sent: str) -> None:
    """The question mark is part of the id, which nobody has."""
    assert _instance(handle("users", request(source, sent))) in {"/api/what?is", "/api/what%3Fis"}


@pytest.mark.parametrize("source", REQUESTS)
def test_head_is_answered_wherever_get_is(handle: Handlers, source: str) -> None:
    """HEAD has the same status and fields without a body, and is refused where there is no GET."""
    got = handle("health", request(source, "/health"))
    head = handle("health", request(source, "/health", "HEAD"))
    assert head["statusCode"] == got["statusCode"] == 200
    assert not head["body"]
    assert head["headers"]["content-length"] == got["headers"]["content-length"] == str(len(got["body"]))
    refused = handle("users", request(source, "/api/auth/login", "HEAD"))
    assert (refused["statusCode"], refused["headers"]["allow"]) == (405, "POST")
    told = handle("health", request(source, "/health", "PUT"))
    assert told["headers"]["allow"] == "GET, HEAD"


def staged(path: str, route: str, stage: str, proxy: str | None = None) -> Event:
    event = request("http_api_2", path)
    event["routeKey"] = event["requestContext"]["routeKey"] = route
    event["requestContext"]["stage"] = stage
    event["pathParameters"] = {"proxy": proxy} if proxy else None
    return event


@pytest.mark.parametrize(
    ("event", "function", "status"),
    [
        (staged("/dev/health/liveness", "ANY /health/{proxy+}", "dev", "liveness"), "health", 200),
        (staged("/dev/health", "ANY /health", "dev"), "health", 200),
        (staged("/dev/api/openapi.json", "$default", "dev"), "health", 200),
        (staged("/v1/api/users/me", "ANY /api/users/{proxy+}", "$default", "me"), "users", 401),
        (staged("/studysync/v1/api/users/me/", "ANY /api/users/{proxy+}", "$default", "me"), "users", 401),
        (staged("/api/api/users/me", "ANY /api/users/{proxy+}", "api", "me"), "users", 401),
        (staged("/v1/api/users", "ANY /api/users", "dev"), "users", 401),
        (staged("/development/health", "$default", "dev"), "health", 404),
        (staged("/v1/health", "$default", "$default"), "health", 404),
    ],
    ids=lambda value: value["rawPath"] if isinstance(value, dict) else "",
)
def test_a_named_stage_and_a_base_path_work(handle: Handlers, event: Event, function: str, status: int) -> None:
    """The prefix before a route's path is removed, by the gateway's route or else by the stage."""
    assert handle(function, event)["statusCode"] == status


def test_a_base_path_before_a_rest_api(handle: Handlers) -> None:
    """A custom domain's mapping is in `path`, and the resource shows which part is ours."""
    event = request("rest_api", "/v1/api/users/a%20b")
    event |= {"resource": "/{proxy+}", "pathParameters": {"proxy": "api/users/a b"}}
    assert handle("users", event)["statusCode"] == 401


def test_a_load_balancer_is_told_apart_from_its_clients(handle: Handlers) -> None:
    """With multi-value headers enabled, values of one name are lists, in the request and in the answer."""
    event = request("load_balancer", "/health")
    event["multiValueHeaders"] = {name: [value] for name, value in event.pop("headers").items()}
    event["multiValueQueryStringParameters"] = {"a": ["1", "2%203"]}
    del event["queryStringParameters"]
    answer = handle("health", event)
    assert answer["statusCode"] == 200
    assert answer["multiValueHeaders"]["content-type"] == ["application/json"]


@pytest.mark.parametrize("source", REQUESTS)
def test_what_is_null_is_absent(handle: Handlers, source: str) -> None:
    """The console's test events omit what a client always sends."""
    event = request(source, "/health")
    event |= {"headers": None, "multiValueHeaders": None, "queryStringParameters": None, "cookies": None}
    event["multiValueQueryStringParameters"] = None
    assert handle("health", event)["statusCode"] == 200


@pytest.mark.parametrize("source", ["http_api_1", "http_api_2", "rest_api"])
def test_only_the_front_is_let_in_where_there_is_one(tmp_path: Path, source: str) -> None:
    """Requests directly to the origin are refused, but the account's own tools may invoke the function."""
    shown = "a-long-random-text"
    with handlers(tmp_path, ORIGIN_SECRET_HASH=hashlib.sha256(shown.encode()).hexdigest()) as handle:
        for wrong in ({}, {"x-origin-secret": "guess"}, {"x-origin-secret": ""}):
            refused = handle("health", request(source, "/health", **wrong))
            assert refused["statusCode"] == 403
            assert json.loads(refused["body"])["error_code"] == "AUTHORIZATION_ERROR"
        headers = {"x-origin-secret": shown, "x-viewer-address": "203.0.113.9"}
        assert handle("health", request(source, "/health", **headers))["statusCode"] == 200
        invoked = request(source, "/health")
        del invoked["requestContext"]["domainName"]
        assert handle("health", invoked)["statusCode"] == 200
