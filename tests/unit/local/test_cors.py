"""CORS as the gateway implements it."""

from local.gateway.cors import decorate, is_preflight, preflight
from local.gateway.responses import HttpResponse
from local.template import Cors

OPEN = Cors(origins=("*",), methods=("GET", "POST"), headers=("authorization",), expose=("age",), max_age=600)
CLOSED = Cors(origins=("https://a.example",), methods=("*",), credentials=True)
ASKING = {"origin": "https://a.example", "access-control-request-method": "GET"}


def test_only_browsers_ask_first() -> None:
    """OPTIONS without an origin and a requested method is passed to the route."""
    assert is_preflight("OPTIONS", ASKING)
    assert not is_preflight("OPTIONS", {"origin": "https://a.example"})
    assert not is_preflight("GET", ASKING)


def test_preflight_of_an_open_api() -> None:
    """The answer has everything that is configured."""
    response = preflight(OPEN, ASKING)
    assert response.status == 204
    assert dict(response.headers) == {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "GET,POST",
        "access-control-allow-headers": "authorization",
        "access-control-max-age": "600",
    }


def test_preflight_without_permission() -> None:
    """Another origin or method gets an answer without permission."""
    assert preflight(CLOSED, {**ASKING, "origin": "https://b.example"}).headers == []
    assert preflight(OPEN, {**ASKING, "access-control-request-method": "PUT"}).headers == []


def test_answers_carry_the_gateways_headers_and_not_the_functions() -> None:
    """The function's own CORS headers are replaced."""
    made = HttpResponse(200, b"", [("access-control-allow-origin", "https://evil.example"), ("age", "1")])
    assert dict(decorate(CLOSED, ASKING, made).headers) == {
        "age": "1",
        "access-control-allow-origin": "https://a.example",
        "access-control-allow-credentials": "true",
        "vary": "origin",
    }


def test_without_an_origin_or_a_configuration_nothing_is_added() -> None:
    """Requests without an origin get no CORS headers, and without CORS configuration the function's are kept."""
    made = HttpResponse(200, b"", [("access-control-allow-origin", "x")])
    assert decorate(OPEN, {}, made).headers == []
    assert decorate(Cors(), ASKING, made).headers == made.headers
