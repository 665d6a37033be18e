"""The errors of the contract, and the single format in which they are returned (RFC 9457).

The tree::

    ApiError                  any error returned to a client, with status and error code
    └── raised by name        bad_request, not_found, ... below: one function per error code

Database errors meant for the client have an SQLSTATE of class ``SS``, all listed in ``DATABASE_ERRORS``. Anything not
listed there is a 500, and its text is only logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple
from urllib.parse import quote


class ErrorKind(NamedTuple):
    """An error code of the contract and its HTTP status."""

    status: int
    code: str


VALIDATION_ERROR = ErrorKind(400, "VALIDATION_ERROR")
INVALID_JSON = ErrorKind(400, "INVALID_JSON")
AUTHENTICATION_ERROR = ErrorKind(401, "AUTHENTICATION_ERROR")
AUTHORIZATION_ERROR = ErrorKind(403, "AUTHORIZATION_ERROR")
REAUTHENTICATION_REQUIRED = ErrorKind(403, "REAUTHENTICATION_REQUIRED")
NOT_FOUND = ErrorKind(404, "NOT_FOUND")
METHOD_NOT_ALLOWED = ErrorKind(405, "METHOD_NOT_ALLOWED")
CONFLICT = ErrorKind(409, "CONFLICT")
USER_ALREADY_EXISTS = ErrorKind(409, "USER_ALREADY_EXISTS")
SESSION_ALREADY_ACTIVE = ErrorKind(409, "SESSION_ALREADY_ACTIVE")
SESSION_NOT_ACTIVE = ErrorKind(409, "SESSION_NOT_ACTIVE")
SESSION_EVENT_LIMIT = ErrorKind(409, "SESSION_EVENT_LIMIT")
SPACE_FULL = ErrorKind(409, "SPACE_FULL")
OWNER_MUST_HAND_OVER = ErrorKind(409, "OWNER_MUST_HAND_OVER")
TOO_MANY_SPACES = ErrorKind(409, "TOO_MANY_SPACES")
REQUEST_TOO_LARGE = ErrorKind(413, "REQUEST_TOO_LARGE")
UNSUPPORTED_MEDIA_TYPE = ErrorKind(415, "UNSUPPORTED_MEDIA_TYPE")
AUDIT_VALIDATION_FAILED = ErrorKind(422, "AUDIT_VALIDATION_FAILED")
IDEMPOTENCY_KEY_REUSED = ErrorKind(422, "IDEMPOTENCY_KEY_REUSED")
RATE_LIMIT_EXCEEDED = ErrorKind(429, "RATE_LIMIT_EXCEEDED")
QUOTA_EXCEEDED = ErrorKind(429, "QUOTA_EXCEEDED")
INTERNAL_ERROR = ErrorKind(500, "INTERNAL_ERROR")
SERVICE_UNAVAILABLE = ErrorKind(503, "SERVICE_UNAVAILABLE")

DATABASE_ERRORS: Mapping[str, ErrorKind] = {
    "SS001": NOT_FOUND,
    "SS002": AUTHORIZATION_ERROR,
    "SS003": CONFLICT,
    "SS004": VALIDATION_ERROR,
    "SS005": IDEMPOTENCY_KEY_REUSED,
    "SS006": AUTHENTICATION_ERROR,
    "SS007": REAUTHENTICATION_REQUIRED,
    "SS010": USER_ALREADY_EXISTS,
    "SS020": SESSION_ALREADY_ACTIVE,
    "SS021": SESSION_NOT_ACTIVE,
    "SS030": SPACE_FULL,
    "SS031": OWNER_MUST_HAND_OVER,
    "SS032": TOO_MANY_SPACES,
    "SS040": QUOTA_EXCEEDED,
    "SS041": SESSION_EVENT_LIMIT,
}

# What Starlette raises by status only (no route, wrong method, unreadable body).
HTTP_ERRORS: Mapping[int, ErrorKind] = {
    400: INVALID_JSON,
    404: NOT_FOUND,
    405: METHOD_NOT_ALLOWED,
    413: REQUEST_TOO_LARGE,
    415: UNSUPPORTED_MEDIA_TYPE,
}


MAX_FIELD_ERRORS = 20
"""The number of invalid fields that an error lists; it counts all of them."""
MAX_MESSAGE = 300
"""Maximum number of characters of a message."""
MAX_LOCATION = 120
"""Maximum number of characters of a field's location, which may contain a name that the client chose."""
_MAX_INSTANCE = 256
_IN_PATHS = "/:@!$&'()*+,;="  # characters that RFC 3986 allows in a path unescaped, besides letters, digits and "-._~"


class ApiError(Exception):
    """An error that is returned to the client.

    Attributes:
        kind: status and error code.
        message: one sentence for people, without internal details.
        details: data for programs, such as the id of the session that is active; ``None``: nothing.
        headers: response headers of this error, such as ``Retry-After``.
    """

    def __init__(
        self,
        kind: ErrorKind,
        message: str,
        details: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{kind.code}: {message}")
        self.kind = kind
        self.message = message
        self.details = details
        self.headers = dict(headers or {})


def unauthenticated(message: str = "Authentication is required.") -> ApiError:
    """Return a 401 with the challenge that RFC 6750 requires."""
    return ApiError(AUTHENTICATION_ERROR, message, headers={"WWW-Authenticate": "Bearer"})


def forbidden(message: str = "You are not allowed to do this.") -> ApiError:
    """Return a 403: the caller is known, but not allowed to do this."""
    return ApiError(AUTHORIZATION_ERROR, message)


def invalid(message: str, location: str) -> ApiError:
    """Return a 400 for one field; `location` such as ``query.cursor``."""
    return _invalid(message, [(location, message)], 1)


def invalid_request(found: Sequence[Mapping[str, Any]], count: int) -> ApiError:
    """Return a 400 for pydantic's errors, and the total number of them."""
    # Only the location and the reason: the value itself may be a password.
    fields = [(".".join(map(str, error["loc"])), str(error["msg"])) for error in found[:MAX_FIELD_ERRORS]]
    return _invalid("The request is invalid.", fields, count)


def _invalid(message: str, fields: Sequence[tuple[str, str]], count: int) -> ApiError:
    listed = [
        {
            "location": shortened(location, MAX_LOCATION),
            "message": shortened(told.removeprefix("Value error, "), MAX_MESSAGE),
        }
        for location, told in fields
    ]
    return ApiError(VALIDATION_ERROR, message, {"validation_errors": listed, "error_count": count})


def shortened(text: str, characters: int) -> str:
    """Return `text`, which may come from a client, truncated to the given number of characters."""
    return text if len(text) <= characters else text[: characters - 1] + "…"


def unavailable(message: str = "The service is temporarily unavailable.", retry_after: float = 1.0) -> ApiError:
    """Return a 503 with ``Retry-After``, in seconds rounded up."""
    return ApiError(SERVICE_UNAVAILABLE, message, headers={"Retry-After": str(max(1, -int(-retry_after // 1)))})


def problem(error: ApiError, *, instance: str, request_id: str) -> dict[str, Any]:
    """Return the body for `error`: an RFC 9457 problem with the fields that older clients read.

    Args:
        error: the error to return.
        instance: the requested path, decoded.
        request_id: the id of the request.
    """
    message = shortened(error.message, MAX_MESSAGE)
    body: dict[str, Any] = {
        "type": f"urn:studysync:error:{error.kind.code.lower().replace('_', '-')}",
        "title": HTTPStatus(error.kind.status).phrase,
        "status": error.kind.status,
        "detail": message,
        "instance": _as_reference(instance),
        "error": True,
        "error_code": error.kind.code,
        "message": message,
        "request_id": request_id,
    }
    if error.details:
        body["details"] = dict(error.details)
    return body


def _as_reference(path: str) -> str:
    """Return `path` as a URI reference (RFC 3986), truncated; never one with a host."""
    path = quote(path[:_MAX_INSTANCE], safe=_IN_PATHS, errors="replace")
    return path.replace("//", "/%2F", 1) if path.startswith("//") else path
