"""Reading from an error what the other side said about trying again."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from resilience.errors import leaves


def retry_after_of(error: BaseException) -> float | None:
    """How many seconds the error asks to wait, or None when it does not say.

    Looks at an attribute `retry_after` (seconds), then at a Retry-After header: in `headers` of the error (urllib) or
    of its `response` (httpx, requests, aiohttp), or where botocore keeps an answer's headers. Of a group, the longest
    of its errors' waits.
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
    """Everything of an error that may be a message's headers: it has a method `get`."""
    response: Any = getattr(error, "response", None)
    found = [getattr(response, "headers", None), getattr(error, "headers", None)]
    if isinstance(response, Mapping):
        metadata = response.get("ResponseMetadata")
        found.append(metadata.get("HTTPHeaders") if isinstance(metadata, Mapping) else None)
    return (headers for headers in found if callable(getattr(headers, "get", None)))


def parse_retry_after(value: str, *, now: float | None = None) -> float | None:
    """Seconds from a Retry-After header's value, or None when it cannot be read.

    Args:
        value: Whole seconds or an HTTP date, in any of the three forms of RFC 9110; all of them are UTC.
        now: Unix seconds to count a date from; None takes the wall clock.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return _sane(float(text))
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text)
        if at.tzinfo is None:  # asctime's form says no zone
            at = at.replace(tzinfo=UTC)
        moment = at.timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return _sane(moment - (time.time() if now is None else now))


def _sane(seconds: float) -> float | None:
    return max(0.0, seconds) if math.isfinite(seconds) else None
