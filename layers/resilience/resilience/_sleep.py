"""The only place where the package sleeps, so that one switch removes every wait."""

from __future__ import annotations

import time

_skip = False
recorded: list[float] = []
"""The waits that were skipped, in seconds; at most the first `_KEEP`, because a test run may skip any number."""
_KEEP = 1_000


def skip(active: bool) -> None:
    """Switch every wait off (True) or on (False), in the whole process."""
    global _skip  # noqa: PLW0603 - a switch for the whole process is the point
    _skip = active


def skipping() -> bool:
    """Return whether waits are switched off."""
    return _skip


def _record(seconds: float) -> None:
    if len(recorded) < _KEEP:
        recorded.append(seconds)


def sleep(seconds: float) -> None:
    """Block this thread for some seconds; when waits are switched off, only record them."""
    if _skip:
        _record(seconds)
    else:
        time.sleep(seconds)


async def sleep_async(seconds: float) -> None:
    """Suspend this task for some seconds; when waits are switched off, record them and let other tasks run once."""
    import asyncio

    if _skip:
        _record(seconds)
        await asyncio.sleep(0)
    else:
        await asyncio.sleep(seconds)
