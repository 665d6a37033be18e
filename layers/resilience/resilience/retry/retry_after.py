"""Reading from an error what the other side said about trying again."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any


def retry_after_of(error: BaseException) -> float | None:
    """How many seconds the error asks to wait, or None when it does not say.

    Looks at an attribute `retry_after` (seconds), then at a Retry-After header in `response.headers` or `headers`, as
    seconds or as an HTTP date.
    """
    direct = getattr(error, "retry_after", None)
    if isinstance(direct, int | float) and not isinstance(direct, bool):
        return _sane(float(direct))
    response = getattr(error, "response", None)
    headers = getattr(response, "headers", None) or getattr(error, "headers", None)
    if isinstance(headers, Mapping):
        value: Any = headers.get("retry-after") or headers.get("Retry-After")
        return parse_retry_after(value) if isinstance(value, str) else None
    return None


def parse_retry_after(value: str, *, now: float | None = None) -> float | None:
    """Seconds from a Retry-After header's value, or None when it cannot be read.

    Args:
        value: Whole seconds or an HTTP date.
        now: Unix seconds to count a date from; None takes the wall clock.
    """
    text = value.strip()
    if text.isascii() and text.isdigit():
        return _sane(float(text))
    from email.utils import parsedate_to_datetime

    try:
        at = parsedate_to_datetime(text).timestamp()
    except (TypeError, ValueError, OverflowError):
        return None
    return _sane(at - (time.time() if now is None else now))


def _sane(seconds: float) -> float | None:
    return max(0.0, seconds) if math.isfinite(seconds) else None
