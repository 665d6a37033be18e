"""Our own checks for schemathesis, which loads this file."""

from __future__ import annotations

from typing import Any

import schemathesis
from schemathesis.specs.openapi import checks

# Repeated wrong operator tokens are rate limited, which is a refusal too.
checks.AUTH_REJECTION_STATUSES = frozenset({*checks.AUTH_REJECTION_STATUSES, 429})

# Rules that a schema cannot express; the document states them in words.
_UNTOLD = (
    "The cursor is not valid.",
    "must contain a visible character",
    "must not contain control characters",
    "must not contain invisible characters",
    "must not mix letters of different scripts in one word",
    "must not contain a word that looks like one in Latin letters",
    "This username is reserved.",
    "must contain a letter and a digit",
    "must not be longer than 72 bytes",
    "must be an IANA time zone, such as Europe/Berlin",
    "No weekly period begins on this day.",
    "No monthly period begins on this day.",
    "No all-time period begins on this day.",
    "must be between the years 1970 and 2200",
)
_UNTOLD_CODES = {"IDEMPOTENCY_KEY_REUSED", "AUDIT_VALIDATION_FAILED"}


@schemathesis.check
def valid_requests_are_taken(ctx: Any, response: Any, case: Any) -> None:
    """A valid request is refused only by a rule that no schema can express."""
    if (
        case.meta is None
        or not case.meta.generation.mode.is_positive
        or response.status_code not in (400, 413, 415, 422)
    ):
        return
    problem = response.json()
    if problem["error_code"] in _UNTOLD_CODES:
        return
    details = problem.get("details") or {}
    errors = details.get("validation_errors") or [{"location": "", "message": problem["message"]}]
    told = [error for error in errors if not error["message"].startswith(_UNTOLD)]
    assert not told, f"{response.status_code} for a request that the document allows: {told}"


@schemathesis.hook
def before_load_schema(ctx: Any, raw_schema: dict[str, Any]) -> None:
    """Follow links into bodies too, which the document declares with an extension."""
    for methods in raw_schema["paths"].values():
        for operation in methods.values():
            for answer in operation["responses"].values():
                for link in answer.get("links", {}).values():
                    if "x-body" in link:
                        link["requestBody"] = link.pop("x-body")


@schemathesis.check
def invalid_requests_are_rejected(ctx: Any, response: Any, case: Any) -> None:
    """Like `negative_data_rejection`, but accepts null bodies, empty parameters and batches with bad events."""
    empty = case.body is None or "" in (case.query or {}).values()
    if not empty and case.path != "/api/sync/offline":
        checks.negative_data_rejection(ctx, response, case)


@schemathesis.hook
def map_body(ctx: Any, body: Any) -> Any:
    """Drop a well-formed user_id from the body, because any other id than the caller's is a 403 before other checks."""
    if not isinstance(body, dict):
        return body
    spoken_for = {"user_id", "created_by"}
    return {name: value for name, value in body.items() if name not in spoken_for or not isinstance(value, str | None)}
