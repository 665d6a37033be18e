"""The caller's address, by event format."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from mangum.types import LambdaConfig

from studysync.aws.http_events import HANDLERS

CONFIG: LambdaConfig = {"api_gateway_base_path": "/", "text_mime_types": [], "exclude_headers": []}


def scope(event: dict[str, Any]) -> Any:
    """The request as the app receives it."""
    handler = next(each for each in HANDLERS if each.infer(event, None, CONFIG))  # type: ignore[arg-type]
    return handler(event, None, CONFIG).scope  # type: ignore[arg-type]


def event(**headers: str) -> dict[str, Any]:
    """A request of an HTTP API from 192.0.2.1."""
    http = {"method": "GET", "path": "/", "sourceIp": "192.0.2.1"}
    return {"version": "2.0", "rawPath": "/", "headers": headers, "requestContext": {"http": http}}


def test_what_clients_write_is_not_their_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forwarding headers of a proxy or CloudFront are ignored unless the secret is sent."""
    forged = {"x-forwarded-for": "203.0.113.9", "x-viewer-address": "203.0.113.9", "x-origin-secret": "guess"}
    monkeypatch.delenv("ORIGIN_SECRET_HASH", raising=False)
    assert scope(event(**forged))["client"][0] == "192.0.2.1"
    monkeypatch.setenv("ORIGIN_SECRET_HASH", hashlib.sha256(b"secret").hexdigest())
    assert scope(event(**forged))["client"][0] == "192.0.2.1"
    assert scope(event(**forged | {"x-origin-secret": "secret"}))["client"][0] == "203.0.113.9"


def test_behind_a_load_balancer_it_is_the_last_one() -> None:
    """A load balancer appends the connection's address to what the client sent."""
    sent = {
        "requestContext": {"elb": {}},
        "httpMethod": "GET",
        "path": "/",
        "headers": {"x-forwarded-for": "1.1.1.1, 192.0.2.7"},
    }
    assert scope(sent)["client"][0] == "192.0.2.7"


def test_queries_reach_the_app_as_they_were_sent() -> None:
    """Load balancers leave queries encoded, REST APIs decode them, HTTP APIs pass the raw query."""
    balanced = {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/", "headers": {}}
    balanced["queryStringParameters"] = {"a": "x%26y", "b": "1+2"}
    assert scope(balanced)["query_string"] == b"a=x%26y&b=1+2"
    rest = {"resource": "/", "requestContext": {}, "httpMethod": "GET", "path": "/", "headers": {}}
    rest["multiValueQueryStringParameters"] = {"a": ["x&y", "z"]}
    assert scope(rest)["query_string"] == b"a=x%26y&a=z"
    assert scope({**event(), "rawQueryString": "a=%2526"})["query_string"] == b"a=%2526"
