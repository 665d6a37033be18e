"""The secret, and the last value read while it cannot be read again.

Failure policy: a restored copy, or a process whose next read fails, continues with the last value and tries again after
a minute. A process that never read it answers 503, and tries again after a few seconds.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from studysync.errors import unavailable

STALE_SECONDS = 60.0
"""How long a process uses an old secret before it reads again."""
REFUSED_SECONDS = 5.0
"""How long a process without a secret waits before it reads again."""

_log = logging.getLogger(__name__)
_kept: dict[str, dict[str, Any]] = {}
_ask_again: dict[str, float] = {}


def read_with_fallback(
    name: str, read: Callable[[str], dict[str, Any]], clock: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """Return `read(name)`, or its last result if that fails.

    Raises:
        ApiError: SERVICE_UNAVAILABLE, the secret cannot be read and never was.
    """
    wait = _ask_again.get(name, 0.0) - clock()
    if name not in _kept and wait > 0:
        raise unavailable(retry_after=wait)
    try:
        _kept[name] = read(name)
    except Exception as error:
        _log.error(
            "the secret cannot be read: %s; %s", type(error).__name__, "the last one serves on" if name in _kept else ""
        )
        _ask_again[name] = clock() + (STALE_SECONDS if name in _kept else REFUSED_SECONDS)
        if name not in _kept:
            raise unavailable(retry_after=REFUSED_SECONDS) from error
    else:
        _ask_again.pop(name, None)
    return _kept[name]


def is_due(clock: Callable[[], float] = time.monotonic) -> bool:
    """Return whether an old secret is due to be read again."""
    return any(name in _kept and when <= clock() for name, when in _ask_again.items())
