"""Which errors may be retried: decided by the error itself, not by its status.

A status says little: a gateway answers a serialization failure, which asks to be repeated, with a 500, and a bug with
the same. So the database's own code decides where there is one, then the kind of exception, and only then the status.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Final

from resilience.errors import ResilienceError

SQLSTATES: Final = frozenset(
    {
        "40001",  # serialization failure: the transaction did not happen
        "40P01",  # deadlock detected: this transaction was the one given up
        "55P03",  # lock not available
        "57P01",  # the server is shutting down for an administrator
        "57P02",  # ... after a crash
        "57P03",  # it cannot accept connections yet
        "57P04",  # the database was dropped, such as for a restore
        "57P05",  # the session was idle for too long
        "25P03",  # ... within a transaction
        "25P04",  # the transaction took too long
        "25006",  # read-only for now: a replica that takes over, a project whose disk is full
    }
)
SQLSTATE_CLASSES: Final = frozenset({"08", "53", "58", "XX"})
"""Connection exceptions; insufficient resources (too many connections, a full disk); system errors; internal errors,
such as a row that another call changed meanwhile, or the last words of a server that gives up."""
STATUSES: Final = frozenset({408, 425, 429, 502, 503, 504})
_SQLSTATE_LENGTH: Final = 5


def transient_errors(
    *,
    codes: Collection[str] = (),
    statuses: Collection[int] = STATUSES,
    exceptions: tuple[type[BaseException], ...] = (ConnectionError, TimeoutError),
) -> Callable[[BaseException], bool]:
    """Build a function for `retry_on`.

    Args:
        codes: Further values of an error's `code` attribute that may be repeated, such as a gateway's own.
        statuses: HTTP statuses (`status_code` or `status` of the error or its `response`) that may be repeated when the
            error has no code.
        exceptions: Kinds of exception that may always be repeated.

    Returns:
        A function of the error: True when the call may be repeated. The caller
        must know whether repeating is safe.
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
    """Whether a PostgreSQL error code says that the same statement may succeed if it is repeated."""
    return len(code) == _SQLSTATE_LENGTH and (code in SQLSTATES or code[:2] in SQLSTATE_CLASSES)


def code_of(error: BaseException) -> str | None:
    """The error's own code: its `sqlstate` or `code` attribute if that is a text that is not only a status."""
    for name in ("sqlstate", "code"):
        value = getattr(error, name, None)
        if isinstance(value, str) and value and not (value.isdigit() and len(value) < _SQLSTATE_LENGTH):
            return value
    told = _botocore(error, "Error").get("Code")
    return told if isinstance(told, str) and told and not told.isdigit() else None


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an error or of its `response`, or None."""
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
    """A part of what botocore's ClientError keeps of an answer; empty for other errors."""
    response = getattr(error, "response", None)
    found = response.get(part) if isinstance(response, Mapping) else None
    return found if isinstance(found, Mapping) else {}
