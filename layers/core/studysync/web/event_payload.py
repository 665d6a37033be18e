"""Free-form objects that clients attach to events: what of them can be kept."""

from __future__ import annotations

import json
import re
from typing import Any

MAX_PAYLOAD_BYTES = 4096
MAX_PAYLOAD_DEPTH = 32
# Also in texts that look like it, where it costs a payload some room that it could have had.
_EXPONENTS = re.compile(rb"\de([+-]?\d{1,3})(?!\d)")


def payload_error(payload: dict[str, Any]) -> str | None:
    """Return what is wrong with a payload; ``None`` when it can be kept."""
    if not _storable(payload):
        return f"The payload holds a NUL character, or is nested deeper than {MAX_PAYLOAD_DEPTH} levels."
    try:
        packed = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:  # NaN, infinity, broken surrogates
        return "The payload cannot be kept as JSON."
    size = len(packed) + (_written_out(packed) if b"e" in packed else 0)
    return f"The payload is larger than {MAX_PAYLOAD_BYTES} bytes." if size > MAX_PAYLOAD_BYTES else None


def _written_out(packed: bytes) -> int:
    """Return how many digits PostgreSQL adds: it keeps 1e300 as a one and 300 zeros, and answers it so."""
    return sum(abs(int(exponent)) for exponent in _EXPONENTS.findall(packed))


def _storable(payload: dict[str, Any]) -> bool:
    # Without recursion: how deep it goes is what is to be found out. PostgreSQL cannot keep NUL in text.
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
