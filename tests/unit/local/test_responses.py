"""Results of functions as HTTP responses."""

import base64
import json
from typing import Any

import pytest

from local.gateway.responses import INTERNAL_ERROR, NOT_FOUND, TOO_LARGE, UNAVAILABLE, convert


def converted(result: Any) -> Any:
    return convert(json.dumps(result).encode())


def test_a_full_response() -> None:
    """The response has status, lower-case headers, cookies as separate headers, and body."""
    response = converted(
        {
            "statusCode": 201,
            "headers": {"X-A": "1", "Content-Type": "text/html"},
            "cookies": ["a=1", "b=2"],
            "body": "é",
        }
    )
    assert response.status == 201
    assert response.body == "é".encode()
    assert response.headers == [
        ("x-a", "1"),
        ("content-type", "text/html"),
        ("set-cookie", "a=1"),
        ("set-cookie", "b=2"),
    ]


def test_base64_body() -> None:
    """An encoded body is decoded."""
    body = base64.b64encode(b"\x00\xff").decode()
    assert converted({"statusCode": 200, "body": body, "isBase64Encoded": True}).body == b"\x00\xff"


def test_a_missing_content_type_is_plain_text() -> None:
    """API Gateway adds the same default."""
    assert converted({"statusCode": 204}).headers == [("content-type", "text/plain;charset=utf-8")]


@pytest.mark.parametrize(("result", "body"), [({"a": 1}, b'{"a": 1}'), ([1, 2], b"[1, 2]"), ("hello", b"hello")])
def test_without_a_status_the_result_is_the_body(result: object, body: bytes) -> None:
    """In format 2.0 a result without `statusCode` is a JSON body with status 200."""
    response = converted(result)
    assert (response.status, response.body) == (200, body)
    assert response.headers == [("content-type", "application/json")]


@pytest.mark.parametrize(
    "payload",
    [
        b"not json",
        b'{"statusCode": "what"}',
        b'{"statusCode": 9000}',
        b'{"statusCode": 200, "body": "%%%", "isBase64Encoded": true}',
        b'{"statusCode": 200, "headers": {"a": "b\\r\\nc: d"}}',
        b'{"statusCode": null}',
    ],
)
def test_a_result_that_makes_no_response(payload: bytes) -> None:
    """A malformed result is the gateway's own 500, and header injection is impossible."""
    assert convert(payload) is INTERNAL_ERROR


def test_the_gateways_own_answers() -> None:
    """They are worded like API Gateway's."""
    answers = [(answer.status, answer.body) for answer in (NOT_FOUND, TOO_LARGE, INTERNAL_ERROR, UNAVAILABLE)]
    assert answers == [
        (404, b'{"message":"Not Found"}'),
        (413, b'{"message":"Request Entity Too Large"}'),
        (500, b'{"message":"Internal Server Error"}'),
        (503, b'{"message":"Service Unavailable"}'),
    ]


def test_headers_of_the_connection_are_dropped() -> None:
    """The server sets length and connection, whatever the function returns; booleans are written as in JSON."""
    result = {"statusCode": 200, "headers": {"Content-Length": "9", "Connection": "close", "X-A": True, "X-B": None}}
    assert converted(result).headers == [("x-a", "true"), ("content-type", "text/plain;charset=utf-8")]
