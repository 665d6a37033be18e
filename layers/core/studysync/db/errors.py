"""What an error of PostgREST or PostgreSQL means, told by its code and never by its status or text.

PostgREST answers a serialization failure with a 500 and a refused value with a 400; only the code says which of them
may be tried again.
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
    """What PostgREST answered instead of a result.

    Attributes:
        code: an SQLSTATE, a code of PostgREST's own, or ``HTTP 502`` with the status where the answer holds neither.
        message, details: as the database worded them; not for clients.
    """

    def __init__(self, code: str, message: str = "", details: str | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.details = details

    @property
    def loggable(self) -> str:
        """The message without the values that it quotes where they are what is wrong (SQLSTATE class 22)."""
        return _QUOTED.sub('"..."', self.message) if self.code.startswith("22") else self.message

    @classmethod
    def of_response(cls, response: httpx.Response) -> DatabaseRefusalError:
        """Read an answer that is no success; one of whoever stands in between may be anything."""
        try:
            told = response.json()
            code, message, details = told["code"], str(told["message"]), told.get("details")
        except (ValueError, LookupError, TypeError, AttributeError):
            return cls(f"HTTP {response.status_code}")
        if code is None or code == "":
            # PostgREST's own word for a connection to the database that broke under a query.
            return cls(CONNECTION_LOST, message)
        if not isinstance(code, str) or not _CODE.fullmatch(code):
            return cls(f"HTTP {response.status_code}", message)
        return cls(code, message, details if isinstance(details, str) else None)

    @property
    def refuses_key(self) -> bool:
        """Whether it is the API key that was refused: by the gateway without a code, by PostgREST as a token."""
        return self.code == "HTTP 401" or self.code.startswith(_KEY_REFUSED)


class DatabaseDownError(Exception):
    """The database did not answer, or only to say that it cannot: worth another try, and a failure for the breaker."""


class DatabaseSlowError(Exception):
    """The database did not answer in time. What took long is not asked for again at once.

    A failure for the breaker when several callers have it: one alone may have asked for too much.
    """


class DatabaseBusyError(Exception):
    """The database gave up on a call that got in the way of another: worth another try, and a sign of life."""


# Serialization failure, deadlock, lock timeout: the database works, and somebody else's call came first.
_BUSY_CODES = frozenset({"40001", "40P01", "55P03"})

# PostgREST without a connection, or with a schema that is older than the functions it is asked for. What PostgreSQL
# itself says is judged by `is_transient_sqlstate`.
_TRANSIENT_CODES = frozenset({CONNECTION_LOST, "PGRST000", "PGRST001", "PGRST002", "PGRST202"})
# PostgREST does not take the token of our key: until there is a good key, nothing works.
_KEY_REFUSED = "PGRST3"
_STATUS = "HTTP "  # of an answer without a code: a proxy before PostgREST gave it

# The statement was cancelled because it took too long; PostgREST's connections were all busy for as long as it waits;
# whoever stands before PostgREST waited in vain.
_SLOW_CODES = frozenset({"57014", "PGRST003", "HTTP 408", "HTTP 504", "HTTP 524", "HTTP 544"})

# Values that JSON can carry and PostgreSQL cannot store: NUL in text, broken surrogates. Routes refuse them where they
# see them; this is for what is nested too deep to look at.
_UNSTORABLE_VALUES = frozenset({"22P05", "22021"})


def is_slow(code: str) -> bool:
    """Tell whether the database, or a place in it, was waited for in vain: perhaps the doing of one caller."""
    return code in _SLOW_CODES


def is_transient(code: str) -> bool:
    """Tell whether the same call may well succeed in a moment."""
    return code in _TRANSIENT_CODES or code.startswith((_STATUS, _KEY_REFUSED)) or is_transient_sqlstate(code)


def shows_life(code: str) -> bool:
    """Tell whether a passing error comes from a database that works."""
    return code in _BUSY_CODES


def client_error(error: DatabaseRefusalError) -> ApiError | None:
    """Return the contract's error for what the database meant for the client; ``None`` for everything else."""
    if error.code in _UNSTORABLE_VALUES:
        return ApiError(VALIDATION_ERROR, "The request holds a character that cannot be stored.")
    kind = DATABASE_ERRORS.get(error.code)
    if kind is None:
        return None
    message = error.message or kind.code
    details: dict[str, Any] | None = json.loads(error.details) if error.details else None
    if kind is VALIDATION_ERROR and details and "location" in details:
        return invalid(message, details["location"])  # a field that only the database could judge
    return ApiError(kind, message, details, _headers(kind, details))


def _headers(kind: ErrorKind, details: dict[str, Any] | None) -> dict[str, str] | None:
    if kind is AUTHENTICATION_ERROR:
        return {"WWW-Authenticate": "Bearer"}
    if kind is QUOTA_EXCEEDED and details and "retry_after_seconds" in details:
        return {"Retry-After": str(details["retry_after_seconds"])}
    return None
