"""A constant duration for all calls that may send an email: otherwise a faster call would reveal a missing account."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from studysync.settings import get_settings


@asynccontextmanager
async def steady_time() -> AsyncIterator[None]:
    """Make the block, however it ends, take a whole number of `mail_answer_seconds`."""
    began, unit = time.monotonic(), get_settings().mail_answer_seconds
    try:
        yield
    finally:
        if unit:
            await asyncio.sleep(unit - (time.monotonic() - began) % unit)
