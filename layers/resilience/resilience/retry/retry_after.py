"""Reads from an error how long the other side asks to wait before a retry."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from resilience.errors import leaves


def retry_after_of(error: BaseException) -> float | None:
    """Return how many seconds an error asks to wait (0.0 or more), or None when it does not say.

    Looks at the attribute `retry_after` (a number of seconds), then for a Retry-After header: in `headers` of the
    error's `response` (httpx, requests) or of the error itself (urllib, aiohttp), and where botocore keeps the headers
    of a response. For an exception group, returns the longest wait that any of its errors asks for.
    """
    if isinstance(error, BaseExceptionGroup):
        return max((asked for each in leaves(error) if (asked := retry_after_of(each)) is not None), default=None)
    direct = getattr(error, "retry_after", None)
    if isinstance(direct, int | float) and not isinstance(direct, bool):
        return _sane(float(direct))
    for headers in _headers_of(error):
        for name in ("retry-after", "Retry-After"):
            value = headers.get(name)
            if isinstance(value, str):
                return parse_retry_after(value)
    return None


def _headers_of(error: BaseException) -> Iterator[Any]:
    """Yield what may be response headers in an error: anything there that has a method `get`."""
    response: Any = getattr(error, "response", None)
    found = [getattr(response, "headers", None), getattr(error, "headers", None)]
    if isinstance(response, Mapping):
        metadata = response.get("ResponseMetadata")
        found.append(metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None)
    return (headers for headers in found if callable(getattr(headers, "get", None)))


def parse_retry_after(value: str, *, now: float | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks to wait, or None when it cannot be parsed.

    Args:
        value: Whole seconds, or an HTTP date in any of the three forms of RFC 9110, which are all in UTC.
        now: Unix seconds from which a date is counted; None takes the wall clock.

    Returns:
        Seconds, 0.0 for a date in the past.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return _sane(float(text))
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text)
        if at.tzinfo is None:  # the asctime form has no zone
            at = at.replace(tzinfo=UTC)
        moment = at.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return _sane(moment - (time.time() if now is None else now))


def _sane(seconds: float) -> float | None:
    return max(0.0, seconds) if math.isfinite(seconds) else None
