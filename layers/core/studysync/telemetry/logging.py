"""Structured logs: JSON lines through Powertools, with the request's context.

Tokens, passwords and email addresses are never logged: fields that may contain one are masked here, centrally. Text
that clients choose may contain one too, so a log has only its length, its `log_name`, or nothing.
"""

from __future__ import annotations

import logging
import os
import random
import re
from functools import lru_cache
from typing import Any

from aws_lambda_powertools import Logger
from pydantic import BaseModel

from studysync.context import Invocation, RequestContext, invocation, request_context
from studysync.sealing import keyed_hash
from studysync.telemetry.error_tracker import TrackingHandler, error_tracker
from studysync.telemetry.metrics import count, count_business_event

__all__ = ["MASK", "AppLogger", "app_logger", "log_name", "mask"]

_SECRET = re.compile(
    r"passw|token|authorization|e.?mail|api.?key|secret|cookie|service.?role|credential", re.IGNORECASE
)
MASK = "***"

# Lines about a request whose own line has the ids of its invocation and trace: its id leads there.
_BRIEF = frozenset({"audit", "business"})

# The attributes of every record; other fields must not have these names.
_OF_EVERY_RECORD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


@lru_cache(maxsize=1024)
def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None


def mask(value: Any) -> Any:
    """Return `value` with everything below a secret field's name replaced by ``***``, at any depth."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, dict):
        return {key: MASK if _is_secret(str(key)) else mask(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask(item) for item in value]
    return value


def log_name(text: str | None) -> str | None:
    """Return a pseudonym for text that a client chose, which could be anything, such as an email address.

    The same text always has the same pseudonym; that of ``None`` is ``None``.
    """
    return None if text is None else keyed_hash("logs", text)[:12]


class _RequestFilter(logging.Filter):
    """Adds the request's id and caller to every record, and masks its extra fields."""

    def filter(self, record: logging.LogRecord) -> bool:
        fields = record.__dict__
        context, invoked = request_context(), invocation()
        if context is not None:
            fields.setdefault("request_id", context.request_id)
            # A line that names a user is about that user, who is not always the caller.
            if context.user_id is not None and fields.setdefault("user_id", context.user_id) != context.user_id:
                fields["caller_id"] = context.user_id
        if context is None or fields.get("kind") not in _BRIEF:
            _add_invocation(fields, context, invoked)
        for name in fields.keys() - _OF_EVERY_RECORD:
            value = fields[name]
            if _is_secret(name):
                fields[name] = MASK
            elif isinstance(value, dict | list | tuple | BaseModel):
                fields[name] = mask(value)
        return True


def _add_invocation(fields: dict[str, Any], context: RequestContext | None, invoked: Invocation | None) -> None:
    if context is not None:
        _add_trace(fields, context, invoked)
    if invoked is None:
        return
    if invoked.start != "warm":
        fields.setdefault("start", invoked.start)
    if invoked.aws_request_id:
        fields.setdefault("aws_request_id", invoked.aws_request_id)
    # Differs only if the client sent an id.
    if context is not None and invoked.gateway_request_id not in {"", context.request_id}:
        fields.setdefault("gateway_request_id", invoked.gateway_request_id)


def _add_trace(fields: dict[str, Any], context: RequestContext, invoked: Invocation | None) -> None:
    """Add the ids of the client's trace and of X-Ray's, if somebody recorded it."""
    xray = invoked.traceparent if invoked is not None and invoked.traceparent is not None else ""
    sampled = xray.endswith("-01")
    if context.trace_id is not None and (sampled or context.traceparent != xray):
        fields.setdefault("trace_id", context.trace_id)
    if sampled and context.traceparent != xray:
        trace = xray.split("-")[1]
        fields.setdefault("xray_trace", f"1-{trace[:8]}-{trace[8:]}")  # Powertools would overwrite `xray_trace_id`


def _named(fields: dict[str, Any]) -> dict[str, Any]:
    """Rename fields that clash with a record's attributes, such as `name`, which logging rejects."""
    return {f"{name}_" if name in _OF_EVERY_RECORD else name: value for name, value in fields.items()}


class AppLogger(Logger):
    """Powertools' Logger with one method per kind of event. Extra keyword arguments become fields of the line."""

    def log_request(self, *, method: str, path: str, status_code: int, duration: float, **fields: Any) -> None:
        """Log a request; `path` is the route's template, `duration` in seconds."""
        log = self.error if status_code >= 500 else self.info  # noqa: PLR2004
        log(
            "request",
            kind="request",
            method=method,
            path=path,
            status_code=status_code,
            duration_ms=round(duration * 1000, 2),
            **_named(fields),
        )

    def log_database_operation(
        self, *, operation: str, table: str, duration: float, success: bool, **fields: Any
    ) -> None:
        """Log a database call at level DEBUG, a failed one at WARNING; `duration` in seconds."""
        if success and self.log_level > logging.DEBUG:
            return
        log = self.debug if success else self.warning
        log(
            f"database {operation} {table}",
            kind="database",
            operation=operation,
            table=table,
            duration_ms=round(duration * 1000, 2),
            success=success,
            **_named(fields),
        )

    def log_business_event(self, *, event_type: str, **fields: Any) -> None:
        """Log a business event, such as ``session_completed``; it is also counted in CloudWatch."""
        count_business_event(event_type, fields)
        self.info(event_type, kind="business", event_type=event_type, **_named(fields))

    def log_security_event(self, *, event_type: str, severity: str, **fields: Any) -> None:
        """Log a security event, such as ``failed_login``; severity low, medium or high."""
        count("SecurityEvents")
        self.warning(event_type, kind="security", event_type=event_type, severity=severity, **_named(fields))

    def log_audit(self, action: str, **fields: Any) -> None:
        """Log an entry of the audit trail at any log level; `audit_logger` has a method for each action."""
        usual = self.log_level
        if usual > logging.INFO:
            self.setLevel(logging.INFO)
        self.info(f"audit {action}", kind="audit", action=action, **_named(fields))
        if usual > logging.INFO:
            self.setLevel(usual)

    def sample(self) -> None:
        """Decide whether the current request logs at level DEBUG (POWERTOOLS_LOGGER_SAMPLE_RATE).

        Without a rate, this costs nothing.
        """
        if not self.sampling_rate:
            return
        usual = self.initial_log_level
        usual = logging.getLevelNamesMapping()[usual] if isinstance(usual, str) else usual
        level = logging.DEBUG if random.random() < float(self.sampling_rate) else usual  # noqa: S311
        if self.log_level != level:
            self.setLevel(level)


def _make_logger() -> AppLogger:
    # Lambda would filter by its own level, above ours, which sampled requests and the audit trail lower temporarily.
    os.environ.pop("AWS_LAMBDA_LOG_LEVEL", None)
    # Left out, because every byte of every line is billed: where a line is written, which its kind tells, and X-Ray's
    # id, which is `trace_id` unless a client sends its own.
    logger = AppLogger(utc=True, location=None, xray_trace_id=None)
    logger.remove_keys(["sampling_rate"])  # the same in every line
    for handler in logger.handlers:
        handler.addFilter(_RequestFilter())
    logger.addHandler(TrackingHandler(error_tracker))
    # Redundant: the gateway and our own line log it already.
    logging.getLogger("mangum").setLevel(logging.ERROR)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return logger


app_logger = _make_logger()
