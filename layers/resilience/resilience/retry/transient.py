"""Decides which errors may be retried: by the error's own code if it has one, not by its HTTP status.

A status says little: a gateway answers with a 500 both for a serialization failure, which should be retried, and for a
bug. So the error's own code (such as a database's) decides if there is one, then the exception type, and only then the
status.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from resilience.errors import ResilienceError

SQLSTATES: Final = frozenset(
    {
        "40001",  # serialization failure: the transaction did not happen
        "40P01",  # deadlock detected: this transaction was chosen as the victim
        "55P03",  # lock not available
        "57P01",  # shutdown of the server by an administrator
        "57P02",  # shutdown after a crash
        "57P03",  # the server cannot accept connections yet
        "57P04",  # the database was dropped, such as for a restore
        "57P05",  # the session was idle for too long
        "25P03",  # ... and inside a transaction
        "25P04",  # the transaction took too long (transaction_timeout)
        "25006",  # read-only for now: a replica before it takes over, or a project whose disk is full
    }
)
SQLSTATE_CLASSES: Final = frozenset({"08", "53", "58", "XX"})
"""The first two characters of further codes. 08: connection exceptions; 53: insufficient resources (too many
connections, a full disk); 58: system errors; XX: internal errors, such as a row that another call changed meanwhile, or
the last message of a server that is going down."""
STATUSES: Final = frozenset({408, 425, 429, 502, 503, 504})
_SQLSTATE_LENGTH: Final = 5


def transient_errors(
    *,
    codes: Collection[str] = (),
    statuses: Collection[int] = STATUSES,
    exceptions: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError),
) -> Callable[[BaseException], bool]:
    """Build a function for `retry_on` of RetryPolicy.

    Args:
        codes: Codes (see `code_of`) that may be retried besides PostgreSQL's transient ones, such as a gateway's own.
        statuses: HTTP statuses (see `status_of`) that may be retried if the error has no code and is of none of the
            `exceptions`. Default 408, 425, 429, 502, 503, 504.
        exceptions: Exception types that may be retried if the error has no code. Default ConnectionError and
            TimeoutError.

    Returns:
        A function that takes an error and returns whether the call may be retried; False for this package's own errors.
        It does not know whether the call is idempotent: that is for the caller to decide.
    """
    known = frozenset(codes)

    def transient(error: BaseException) -> bool:
        if isinstance(error, ResilienceError):
            return False
        code = code_of(error)
        if code is not None:
            return code in known or is_transient_sqlstate(code)
        if isinstance(error, exceptions):
            return True
        return status_of(error) in statuses

    return transient


def is_transient_sqlstate(code: str) -> bool:
    """Return whether a PostgreSQL error code (SQLSTATE) says that the same statement may succeed when repeated."""
    return len(code) == _SQLSTATE_LENGTH and (code in SQLSTATES or code[:2] in SQLSTATE_CLASSES)


def code_of(error: BaseException) -> str | None:
    """Return an error's own code, or None.

    That is its attribute `sqlstate` or `code`, or else the code in a botocore error. Only non-empty strings count, and
    not an HTTP status: digits only, fewer than five (with botocore, any number).
    """
    for name in ("sqlstate", "code"):
        value = getattr(error, name, None)
        if isinstance(value, str) and value and not (value.isdigit() and len(value) < _SQLSTATE_LENGTH):
            return value
    told = _botocore(error, "Error").get("Code")
    return told if isinstance(told, str) and told and not told.isdigit() else None


def status_of(error: BaseException) -> int | None:
    """Return the HTTP status of an error, or None.

    Looks where botocore keeps it, then at `status_code`, `status` and `code` of the error and of its `response`.
    """
    told = _botocore(error, "ResponseMetadata").get("HTTPStatusCode")
    if isinstance(told, int):
        return told
    for holder in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            value = getattr(holder, name, None)
            if isinstance(value, int) and not isinstance(value, bool):
                return value
    return None


def _botocore(error: BaseException, part: str) -> Mapping[str, object]:
    """Return a part of the response that botocore's ClientError keeps; empty for other errors."""
    response = getattr(error, "response", None)
    found = response.get(part) if isinstance(response, Mapping) else None
    return found if isinstance(found, Mapping) else {}
