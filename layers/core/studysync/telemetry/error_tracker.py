"""The error tracker: which errors occur, how often and since when, across all environments.

Everything logged as an error is counted automatically, and so are failed calls to the database and to Supabase Auth. An
error's fingerprint is its type, its message without numbers and ids, and the innermost line of our code. The original
message is never stored, because it may quote user input.
"""

from __future__ import annotations

import hashlib
import logging
import re
import traceback
from typing import TypedDict

from resilience import CountedEvent, EventCounter

_CHANGING = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|\d+")
_FAILED_CALLS = frozenset({"database", "auth"})


class ErrorTracker:
    """Counts errors. The methods cover this environment; `counter.fleet_async` covers all of them."""

    def __init__(self) -> None:
        self.counter = EventCounter("errors", max_keys=50, keep_hours=24)

    def track(self, error_type: str, message: str, *, where: str = "", request_id: str = "") -> None:
        """Count an error."""
        message = _CHANGING.sub("#", message)
        fingerprint = hashlib.sha256(f"{error_type}\n{message}\n{where}".encode()).hexdigest()[:12]
        details = {"error_type": error_type, "message": message, "where": where, "request_id": request_id}
        self.counter.note(fingerprint, **details)

    def get_error_summary(self) -> ErrorSummary:
        """Return the counts of this environment's errors."""
        return summary(self.counter.own())

    def get_top_errors(self, limit: int = 10) -> list[TrackedError]:
        """Return this environment's most frequent errors, at most `limit`."""
        return [tracked_error(each) for each in self.counter.own()[:limit]]

    def clear_errors(self) -> None:
        """Delete all errors: here at once, in other environments within five seconds."""
        self.counter.clear()


class TrackingHandler(logging.Handler):
    """Passes logged errors to the tracker."""

    def __init__(self, tracker: ErrorTracker) -> None:
        super().__init__(logging.WARNING)
        self._tracker = tracker

    def emit(self, record: logging.LogRecord) -> None:
        """Count `record`, unless it only reports how a request ended: its cause was logged separately."""
        try:
            self._count(record)
        except Exception:  # noqa: BLE001 - a message that does not fit its arguments must not break who logs it
            self.handleError(record)

    def _count(self, record: logging.LogRecord) -> None:
        kind = getattr(record, "kind", "")
        if kind == "request" or not (record.levelno >= logging.ERROR or kind in _FAILED_CALLS):
            return
        error = record.exc_info[1] if record.exc_info else None
        # A failed call has its error in a field; the line that logged it is not the cause.
        failure = str(getattr(record, "error", "")).partition(":")[0]
        named = getattr(record, "error_type", None) or failure or (type(error).__name__ if error else record.levelname)
        where = _place(error) if error else "" if kind in _FAILED_CALLS else record.filename
        self._tracker.track(
            str(named), record.getMessage(), where=where, request_id=str(getattr(record, "request_id", ""))
        )


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    # Our innermost line is more useful than the library's line that raised.
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    if not (ours or frames):
        return ""
    frame = (ours or frames)[-1]
    return f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"


class TrackedError(TypedDict):
    """An error for operators; times are Unix seconds."""

    fingerprint: str
    count: int
    first_seen: float
    last_seen: float
    error_type: str
    message: str
    where: str
    request_id: str


class ErrorSummary(TypedDict):
    """Counts of errors, in total and by type."""

    total_errors: int
    unique_errors: int
    errors_by_type: dict[str, int]


def tracked_error(each: CountedEvent) -> TrackedError:
    """Return an error for operators."""
    return TrackedError(
        fingerprint=each.key,
        count=each.count,
        first_seen=each.first,
        last_seen=each.last,
        error_type=each.details.get("error_type", ""),
        message=each.details.get("message", ""),
        where=each.details.get("where", ""),
        request_id=each.details.get("request_id", ""),
    )


def summary(found: tuple[CountedEvent, ...]) -> ErrorSummary:
    """Return the counts of `found`."""
    by_type: dict[str, int] = {}
    for each in found:
        name = each.details.get("error_type", each.key)
        by_type[name] = by_type.get(name, 0) + each.count
    return {"total_errors": sum(by_type.values()), "unique_errors": len(found), "errors_by_type": by_type}


error_tracker = ErrorTracker()
