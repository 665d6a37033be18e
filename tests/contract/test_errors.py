"""What all routes share: the error format, request ids, headers, and the handling of malformed requests."""

from __future__ import annotations

import pytest

from testing.client import Api, Student, assert_problem

START = "/api/sessions/start"
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("path", ["/api", "/api/nothing", "/api/users/me/nothing", "/api/sessions/a/b/c", "/api/%00"])
def test_unknown_paths_are_a_404_of_the_contract(api: Api, path: str) -> None:
    """An unknown path is answered in the common error format."""
    assert_problem(api.get(path), 404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path"), [("DELETE", "/health"), ("PUT", "/api/users/me"), ("GET", "/api/auth/login")]
)
def test_wrong_methods_are_a_405(api: Api, method: str, path: str) -> None:
    """An unsupported method is refused with the list of supported ones."""
    response = api.request(method, path)
    assert_problem(response, 405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"]


def test_allow_names_every_method_of_the_path(api: Api) -> None:
    """The Allow header lists every method of a path, even when each method is a route of its own."""
    space = "/api/spaces/00000000-0000-4000-8000-000000000000"
    assert api.request("PUT", space).headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert api.request("PUT", "/api/users/me").headers["allow"] == "DELETE, GET, HEAD, PATCH"


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"nonsense",
        b"{'duration_minutes': 25}",
        b'{"duration_minutes": 25,}',
        b"\xff\xfe{}",
        b"[" * 100_000,
    ],
)
def test_malformed_json_is_a_400(student: Student, content: bytes) -> None:
    """A body that is not valid JSON is INVALID_JSON, however it is malformed."""
    response = student.api.request("POST", START, token=student.token, content=content, headers=JSON)
    assert_problem(response, 400, "INVALID_JSON")


@pytest.mark.parametrize("content", [b"[]", b"null", b'"text"', b"25", b"true"])
def test_a_body_that_is_no_object_is_a_400(student: Student, content: bytes) -> None:
    """A JSON body that is not an object is VALIDATION_ERROR."""
    response = student.api.request("POST", START, token=student.token, content=content, headers=JSON)
    assert_problem(response, 400, "VALIDATION_ERROR")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "application/xml", ""])
def test_other_content_types_are_a_415(student: Student, content_type: str) -> None:
    """Only JSON bodies are accepted."""
    response = student.api.request(
        "POST", START, token=student.token, content=b'{"duration_minutes": 25}', headers={"Content-Type": content_type}
    )
    assert_problem(response, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_may_be_named_with_parameters(student: Student, content_type: str) -> None:
    """The media type is compared without its parameters and without regard to case."""
    response = student.api.request(
        "POST", START, token=student.token, content=b'{"duration_minutes": 25}', headers={"Content-Type": content_type}
    )
    assert response.status_code == 201


def test_a_body_of_7_mb_is_a_413(student: Student) -> None:
    """A body over the limit is refused before it is read, with or without a declared length."""
    body = b'{"duration_minutes": 25, "subject": "' + b"x" * 7_000_000 + b'"}'

    async def in_pieces():  # type: ignore[no-untyped-def]
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    for content in (body, in_pieces()):
        response = student.api.request("POST", START, token=student.token, content=content, headers=JSON)
        assert_problem(response, 413, "REQUEST_TOO_LARGE")


def test_a_sane_request_id_comes_back(api: Api) -> None:
    """The client's request id is kept unless it could harm a log or header; then it is replaced."""
    assert api.get("/health", headers={"X-Request-Id": "abc-123"}).headers["x-request-id"] == "abc-123"
    for bad in ("x" * 129, "a b", "a\x1bb", '"quoted"'):
        assert api.get("/health", headers={"X-Request-Id": bad}).headers["x-request-id"] != bad


@pytest.mark.parametrize("path", ["/health", "/api/users/me", "/nothing"])
def test_security_headers_are_on_every_answer(api: Api, path: str) -> None:
    """Successes and errors alike carry the security headers."""
    headers = api.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == "no-store"
    assert "max-age" in headers["strict-transport-security"]
    assert headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/liveness", "/health/readiness"])
def test_health_is_public(api: Api, path: str) -> None:
    """The public health paths answer with and without a trailing slash."""
    response = api.get(path)
    assert response.status_code == 200
    assert response.json()["success"] is True


def test_the_document_is_served(api: Api) -> None:
    """The OpenAPI document is version 3.1 and lists the routes."""
    document = api.get("/api/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert "/api/sessions/start" in document["paths"]
