"""Classifies errors of PostgREST and PostgreSQL by their code, never by status or text.

PostgREST answers a serialization failure with a 500 and an invalid value with a 400; only the code says which of them
may be retried.
"""

from __future__ import annotations

import json
import re
from typing import Any

import httpx

from resilience import is_transient_sqlstate
from studysync.errors import (
    AUTHENTICATION_ERROR,
    DATABASE_ERRORS,
    QUOTA_EXCEEDED,
    VALIDATION_ERROR,
    ApiError,
    ErrorKind,
    invalid,
)

CONNECTION_LOST = "connection lost"
_CODE = re.compile(r"[0-9A-Z]{5}|PGRST[0-9X]{3}")
_QUOTED = re.compile(r'".*("|$)', re.DOTALL)


class DatabaseRefusalError(Exception):
    """An error response of PostgREST.

    Attributes:
        code: an SQLSTATE, one of PostgREST's own codes, or ``HTTP 502`` with the status if the answer has neither.
        message, details: as the database worded them; not for clients.
    """

    def __init__(self, code: str, message: str = "", details: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = details

    @property
    def loggable(self) -> str:
        """The message, without the values it quotes if those are what is wrong (SQLSTATE class 22)."""
        return _QUOTED.sub('"..."', self.message) if self.code.startswith("22") else self.message

    @classmethod
    def of_response(cls, response: httpx.Response) -> DatabaseRefusalError:
        """Read an error response, which may come from any proxy in between."""
        try:
            body = response.json()
            code, message, details = body["code"], str(body["message"]), body.get("details")
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls(f"HTTP {response.status_code}")
        if code is None or code == "":
            # PostgREST's code for a connection to the database that broke during a query.
            return cls(CONNECTION_LOST, message)
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            return cls(f"HTTP {response.status_code}", message)
        return cls(code, message, details if isinstance(details, str) else None)

    @property
    def refuses_key(self) -> bool:
        """Whether the API key was rejected: by the gateway without a code, or by PostgREST as a token."""
        return self.code == "HTTP 401" or self.code.startswith(_KEY_REFUSED)


class DatabaseDownError(Exception):
    """The database did not answer, or answered that it is down. Retried, and a failure for the breaker."""


class DatabaseSlowError(Exception):
    """The database did not answer in time. Not retried at once, because it took long.

    A failure for the breaker only if several callers have it: a single caller may have asked for too much.
    """


class DatabaseBusyError(Exception):
    """The database aborted a call that conflicted with another. Retried, and a sign of life."""


# Serialization failure, deadlock, lock timeout: the database works, and another call came first.
_BUSY_CODES = frozenset({"40001", "40P01", "55P03"})

# PostgREST has no connection, or its schema cache is older than the functions called. PostgreSQL's own errors are
# classified by `is_transient_sqlstate`.
_TRANSIENT_CODES = frozenset({CONNECTION_LOST, "PGRST000", "PGRST001", "PGRST002", "PGRST202"})
# PostgREST rejects the token of our key: until the key is valid, nothing works.
_KEY_REFUSED = "PGRST3"
_STATUS = "HTTP "  # of an answer without a code, from a proxy in front of PostgREST

# The statement was cancelled because it took too long; all of PostgREST's connections were busy; or a proxy in front of
# PostgREST timed out.
_SLOW_CODES = frozenset({"57014", "PGRST003", "HTTP 408", "HTTP 504", "HTTP 524", "HTTP 544"})

# Values that JSON can carry and PostgreSQL cannot store: NUL in text, lone surrogates. Routes reject them where they
# see them; this is for values nested too deep to check.
_UNSTORABLE_VALUES = frozenset({"22P05", "22021"})


def is_slow(code: str) -> bool:
    """Return whether the database, or a free connection, timed out: perhaps one caller's own doing."""
    return code in _SLOW_CODES


def is_transient(code: str) -> bool:
    """Return whether the same call is likely to succeed in a moment."""
    return code in _TRANSIENT_CODES or code.startswith((_STATUS, _KEY_REFUSED)) or is_transient_sqlstate(code)


def shows_life(code: str) -> bool:
    """Return whether a transient error comes from a database that works."""
    return code in _BUSY_CODES


def client_error(error: DatabaseRefusalError) -> ApiError | None:
    """Return the contract's error if the database raised it for the client; otherwise ``None``."""
    if error.code in _UNSTORABLE_VALUES:
        return ApiError(VALIDATION_ERROR, "The request contains a character that cannot be stored.")
    kind = DATABASE_ERRORS.get(error.code)
    if kind is None:
        return None
    message = error.message or kind.code
    details: dict[str, Any] | None = json.loads(error.details) if error.details else None
    if kind is VALIDATION_ERROR and details and "location" in details:
        return invalid(message, details["location"])  # a field that only the database can validate
    return ApiError(kind, message, details, _headers(kind, details))


def _headers(kind: ErrorKind, details: dict[str, Any] | None) -> dict[str, str] | None:
    if kind is AUTHENTICATION_ERROR:
        return {"WWW-Authenticate": "Bearer"}
    if kind is QUOTA_EXCEEDED and details and "retry_after_seconds" in details:
        return {"Retry-After": str(details["retry_after_seconds"])}
    return None
