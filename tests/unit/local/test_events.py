"""Requests as events of payload format 2.0."""

import base64
from typing import Any

import pytest

from local.gateway.events import HttpRequest, build_event, new_request_id, new_trace_id
from local.gateway.routing import Match
from local.template import Route

ROUTE = Route("ANY", "/things/{id}", "Things")


def event(parameters: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    request = {
        "method": "POST",
        "path": "/things/1",
        "query": "",
        "headers": (("host", "localhost:8000"), ("user-agent", "pytest")),
        "body": b"",
        "client": "127.0.0.1",
        "port": 8000,
        **changes,
    }
    return build_event(HttpRequest(**request), Match(ROUTE, parameters or {}), request_id="id=", trace_id="Root=1-2-3")


def test_context() -> None:
    """The request's method, path, caller and route are where Mangum and Powertools expect them."""
    made = event()
    context = made["requestContext"]
    assert made["version"] == "2.0"
    assert made["routeKey"] == context["routeKey"] == "ANY /things/{id}"
    assert context["http"] == {
        "method": "POST",
        "path": "/things/1",
        "protocol": "HTTP/1.1",
        "sourceIp": "127.0.0.1",
        "userAgent": "pytest",
    }
    assert context["requestId"] == "id="
    assert context["stage"] == "$default"
    assert context["domainName"] == "localhost:8000"


def test_a_named_stage_is_told_and_stays_in_the_path() -> None:
    """As with HTTP APIs, the path contains the stage, which is also given separately."""
    made = build_event(
        HttpRequest("GET", "/dev/things/a%3Fb", "", (), b"", "127.0.0.1", 8000),
        Match(ROUTE, {"id": "a?b"}, "dev"),
        request_id="id=",
        trace_id="Root=1-2-3",
    )
    assert (made["rawPath"], made["requestContext"]["stage"]) == ("/dev/things/a?b", "dev")
    assert made["pathParameters"] == {"id": "a?b"}


def test_repeated_headers_are_joined_and_cookies_apart() -> None:
    """Values of one name are joined by commas; cookies become a list and are removed from the headers."""
    headers = (("x-a", "1"), ("x-a", "2"), ("cookie", "a=1; b=2"), ("cookie", "c=3"))
    made = event(headers=headers)
    assert made["headers"]["x-a"] == "1,2"
    assert made["cookies"] == ["a=1", "b=2", "c=3"]
    assert "cookie" not in made["headers"]


def test_query_string() -> None:
    """The raw query is unchanged; the parsed one is decoded, repeated names joined, empty values kept."""
    made = event(query="a=1&a=2&b=&c=%C3%A9+x")
    assert made["rawQueryString"] == "a=1&a=2&b=&c=%C3%A9+x"
    assert made["queryStringParameters"] == {"a": "1,2", "b": "", "c": "é x"}


def test_what_is_absent_is_left_out() -> None:
    """Without query, variables, cookies and body the event has no such keys."""
    made = event()
    assert not {"queryStringParameters", "pathParameters", "cookies", "body"} & set(made)
    assert made["rawQueryString"] == ""
    assert made["isBase64Encoded"] is False


def test_path_is_decoded() -> None:
    """HTTP APIs pass the decoded path and its variables."""
    made = event({"id": "a b"}, path="/things/a%20b")
    assert made["rawPath"] == made["requestContext"]["http"]["path"] == "/things/a b"
    assert made["pathParameters"] == {"id": "a b"}


@pytest.mark.parametrize("kind", ["application/json", "text/plain; charset=utf-8", "application/problem+json"])
def test_text_bodies_stay_text(kind: str) -> None:
    """Text and JSON are passed unchanged."""
    made = event(headers=(("content-type", kind),), body='{"a": "é"}'.encode())
    assert (made["body"], made["isBase64Encoded"]) == ('{"a": "é"}', False)


@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/octet-stream", b"\x00\xff"), ("application/json", b"\xff{}"), ("image/png", b"abc"), ("", b"abc")],
)
def test_other_bodies_are_base64(kind: str, body: bytes) -> None:
    """Binary types and text that is not UTF-8 are base64-encoded."""
    made = event(headers=(("content-type", kind),), body=body)
    assert made["isBase64Encoded"] is True
    assert base64.b64decode(made["body"]) == body


def test_forwarding_headers() -> None:
    """The caller is appended to the forwarded addresses, and the trace is passed on."""
    made = event(headers=(("x-forwarded-for", "10.0.0.1"),))
    assert made["headers"]["x-forwarded-for"] == "10.0.0.1, 127.0.0.1"
    assert made["headers"]["x-forwarded-port"] == "8000"
    assert made["headers"]["x-amzn-trace-id"] == "Root=1-2-3"


def test_ids_are_unique() -> None:
    """No two requests share an id or a trace."""
    assert len({new_request_id() for _ in range(100)}) == 100
    assert len({new_trace_id() for _ in range(100)}) == 100
