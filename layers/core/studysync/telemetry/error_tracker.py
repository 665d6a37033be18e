"""The error tracker: which errors happen, how often and since when, in all environments together.

Whatever is logged as an error is counted by itself, and so are calls to the database or to Supabase Auth that failed.
An error's fingerprint is its type, its message without numbers and ids, and the line of ours that it came from; its own
text is never kept, because it may quote what a user sent.
"""

from __future__ import annotations

import hashlib
import logging
import re
import traceback
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resilience import Occurrence, Occurrences

_CHANGING = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F-]{27}|0x[0-9a-fA-F]+|\d+")
_FAILED_CALLS = frozenset({"database", "auth"})


class ErrorTracker:
    """Counts errors. `summary_async` and the like speak for all environments; the plain methods for this one."""

    @cached_property
    def occurrences(self) -> Occurrences:
        """Where they are counted; made with the first error, so that a healthy cold start does not load it."""
        from resilience import Occurrences

        return Occurrences("errors", max_keys=50, keep_hours=24)

    def track(self, error_type: str, message: str, *, where: str = "", request_id: str = "") -> None:
        """Count an error."""
        message = _CHANGING.sub("#", message)
        fingerprint = hashlib.sha256(f"{error_type}\n{message}\n{where}".encode()).hexdigest()[:12]
        details = {"error_type": error_type, "message": message, "where": where, "request_id": request_id}
        self.occurrences.note(fingerprint, **details)

    def get_error_summary(self) -> dict[str, Any]:
        """Return ``total_errors``, ``unique_errors`` and ``errors_by_type`` of this environment."""
        return summary(self.occurrences.own())

    def get_top_errors(self, limit: int = 10) -> list[dict[str, Any]]:
        """Return this environment's most frequent errors, `limit` at most, as `shown` has them."""
        return [shown(each) for each in self.occurrences.own()[:limit]]

    def clear_errors(self) -> None:
        """Forget all: here at once, in the other environments within five seconds."""
        self.occurrences.clear()


class TrackingHandler(logging.Handler):
    """Hands to the tracker what is logged as an error."""

    def __init__(self, tracker: ErrorTracker) -> None:
        super().__init__(logging.WARNING)
        self._tracker = tracker

    def emit(self, record: logging.LogRecord) -> None:
        """Count `record`, unless it only says how a request ended: its cause was logged on its own."""
        try:
            self._count(record)
        except Exception:  # noqa: BLE001 - a message that does not fit its arguments must not break who logs it
            self.handleError(record)

    def _count(self, record: logging.LogRecord) -> None:
        kind = getattr(record, "kind", "")
        if kind == "request" or not (record.levelno >= logging.ERROR or kind in _FAILED_CALLS):
            return
        error = record.exc_info[1] if record.exc_info else None
        # A failed call names its error in a field, and the line that logged it says nothing.
        told = str(getattr(record, "error", "")).partition(":")[0]
        named = getattr(record, "error_type", None) or told or (type(error).__name__ if error else record.levelname)
        where = _place(error) if error else "" if kind in _FAILED_CALLS else record.filename
        self._tracker.track(
            str(named), record.getMessage(), where=where, request_id=str(getattr(record, "request_id", ""))
        )


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    # The innermost line of ours says more than the library's that it ended in.
    ours = [frame for frame in frames if "site-packages" not in frame.filename]
    if not (ours or frames):
        return ""
    frame = (ours or frames)[-1]
    return f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno} {frame.name}"


def shown(each: Occurrence) -> dict[str, Any]:
    """Return one error as operators see it; times are Unix seconds."""
    return {
        "fingerprint": each.key,
        "count": each.count,
        "first_seen": each.first,
        "last_seen": each.last,
        **{name: each.details.get(name, "") for name in ("error_type", "message", "where", "request_id")},
    }


def summary(found: tuple[Occurrence, ...]) -> dict[str, Any]:
    """Return the counts of `found` together and by type."""
    by_type: dict[str, int] = {}
    for each in found:
        name = each.details.get("error_type", each.key)
        by_type[name] = by_type.get(name, 0) + each.count
    return {"total_errors": sum(by_type.values()), "unique_errors": len(found), "errors_by_type": by_type}


error_tracker = ErrorTracker()
