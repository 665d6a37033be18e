"""The only place where the package sleeps, so that one switch removes every wait."""

from __future__ import annotations

import time

_skip = False
recorded: list[float] = []
_KEEP = 1_000


def skip(active: bool) -> None:
    """Turn waiting off (True) or on."""
    global _skip  # noqa: PLW0603 - a switch for the whole process is the point
    _skip = active


def skipping() -> bool:
    """Whether waits are removed."""
    return _skip


def _record(seconds: float) -> None:
    if len(recorded) < _KEEP:
        recorded.append(seconds)


def sleep(seconds: float) -> None:
    """Wait in this thread, or only record the wait while skipping."""
    if _skip:
        _record(seconds)
    else:
        time.sleep(seconds)


async def sleep_async(seconds: float) -> None:
    """Wait in this task, or only record the wait (and let other tasks run once) while skipping."""
    import asyncio

    if _skip:
        _record(seconds)
        await asyncio.sleep(0)
    else:
        await asyncio.sleep(seconds)
