"""Validates the free-form payloads that clients attach to events."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_PAYLOAD_BYTES = 4096
MAX_PAYLOAD_DEPTH = 32
# This also counts text that only looks like a number, at the cost of some room in the payload.
_EXPONENTS = re.compile(rb"\de([+-]?\d{1,3})(?!\d)")


def payload_error(payload: dict[str, Any]) -> str | None:
    """Return the error of an invalid payload; ``None`` if it can be stored."""
    if not _storable(payload):
        return f"The payload contains a NUL character or is nested deeper than {MAX_PAYLOAD_DEPTH} levels."
    try:
        packed = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:  # NaN, infinity, lone surrogates
        return "The payload cannot be stored as JSON."
    size = len(packed) + (_written_out(packed) if b"e" in packed else 0)
    return f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes." if size > MAX_PAYLOAD_BYTES else None


def _written_out(packed: bytes) -> int:
    """Return how many digits PostgreSQL adds: it stores and returns 1e300 as a one and 300 zeros."""
    return sum(abs(int(exponent)) for exponent in _EXPONENTS.findall(packed))


def _storable(payload: dict[str, Any]) -> bool:
    # Not recursive, because the depth is not known yet. PostgreSQL cannot store NUL in text.
    pending: list[tuple[Any, int]] = [(payload, 0)]
    while pending:
        value, depth = pending.pop()
        if depth > MAX_PAYLOAD_DEPTH or (isinstance(value, str) and "\0" in value):
            return False
        if isinstance(value, dict):
            pending += [(part, depth + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            pending += [(part, depth + 1) for part in value]
    return True
