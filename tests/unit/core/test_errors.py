"""Errors: their format, the meaning of the database's codes, and what is never shown."""

from __future__ import annotations

import httpx
import pytest
from starlette.exceptions import HTTPException

from studysync import errors
from studysync.db.errors import DatabaseRefusalError, client_error, is_transient
from studysync.errors import DATABASE_ERRORS, ApiError, ErrorKind, problem, unavailable
from studysync.telemetry.logging import mask
from studysync.web.middleware.error_handler import to_api_error

KINDS = [value for value in vars(errors).values() if isinstance(value, ErrorKind)]


def database_error(code: str, message: str = "text", details: str = "") -> DatabaseRefusalError:
    body = {"code": code, "message": message, "details": details, "hint": None}
    return DatabaseRefusalError.of_response(httpx.Response(400, json=body))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_a_problem_has_the_fields_of_both_worlds(kind: ErrorKind) -> None:
    """A problem has RFC 9457's members and those that older clients read."""
    body = problem(ApiError(kind, "Text.", {"a": 1}), instance="/api/x", request_id="r1")
    assert body["title"]
    assert body["type"].startswith("urn:studysync:error:")
    assert (body["status"], body["error_code"], body["error"]) == (kind.status, kind.code, True)
    assert body["detail"] == body["message"] == "Text."
    assert (body["instance"], body["request_id"], body["details"]) == ("/api/x", "r1", {"a": 1})


@pytest.mark.parametrize(("code", "kind"), DATABASE_ERRORS.items())
def test_the_databases_own_codes_are_told_to_the_client(code: str, kind: ErrorKind) -> None:
    """Errors that our SQL raises deliberately keep their message and details."""
    error = client_error(database_error(code, "No.", '{"session_id": "1"}'))
    assert error is not None
    assert (error.kind, error.message, error.details) == (kind, "No.", {"session_id": "1"})


@pytest.mark.parametrize("code", ["23505", "42P01", "42883", "P0001", "PGRST202", "SS999"])
def test_other_codes_are_not(code: str) -> None:
    """No other database error text reaches the client."""
    assert client_error(database_error(code)) is None


@pytest.mark.parametrize(
    ("code", "transient"),
    [("40001", True), ("40P01", True), ("57P01", True), ("08006", True), ("PGRST002", True), ("PGRST202", True),
     ("53100", True), ("53300", True), ("58030", True), ("XX000", True),
     ("23505", False), ("42883", False), ("42501", False), ("SS001", False)],
)  # fmt: skip
def test_codes_tell_what_may_be_tried_again(code: str, transient: bool) -> None:
    """The code separates transient errors from permanent ones."""
    assert is_transient(code) is transient


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b"[]", b'{"message": "text"}'])
def test_an_answer_of_a_proxy_is_known_by_its_status(body: bytes) -> None:
    """A proxy's 502 in front of PostgREST is transient."""
    refusal = DatabaseRefusalError.of_response(httpx.Response(502, content=body))
    assert is_transient(refusal.code)
    assert client_error(refusal) is None


def test_a_connection_that_broke_under_a_query_is_known_by_its_missing_code() -> None:
    """When PostgreSQL is killed PostgREST only has libpq's message, and the error is transient."""
    assert is_transient(database_error("").code)


def test_unexpected_errors_keep_their_text_to_themselves() -> None:
    """A 500 does not reveal what happened."""
    told = to_api_error(RuntimeError("password=hunter2 at db.internal"))
    assert told.kind.code == "INTERNAL_ERROR"
    assert "hunter2" not in told.message


def test_unknown_statuses_of_starlette_pass() -> None:
    """A status without a code of ours keeps its number."""
    assert to_api_error(HTTPException(418)).kind.status == 418


@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (0.2, "1"), (1.0, "1"), (1.1, "2"), (60, "60")])
def test_retry_after_is_whole_seconds_rounded_up(seconds: float, header: str) -> None:
    """A client that waits as long as Retry-After says is not too early."""
    assert unavailable(retry_after=seconds).headers["Retry-After"] == header


def test_secrets_are_masked_at_any_depth() -> None:
    """Fields that may hold a secret or an address are never logged, at any depth."""
    masked = mask({"a": [{"Password": "x", "b": ({"token": "y"},)}], "email": "z", "user_id": "u"})
    assert masked == {"a": [{"Password": "***", "b": [{"token": "***"}]}], "email": "***", "user_id": "u"}
