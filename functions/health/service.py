"""Whether the service can do its work."""

from __future__ import annotations

import asyncio

from studysync.database import database
from studysync.errors import ApiError, unavailable

READINESS_SECONDS = 0.25
"""However the database hangs, a load balancer has its answer within 300 ms."""


async def require_database() -> None:
    """Come back when the database answers.

    Raises:
        ApiError: SERVICE_UNAVAILABLE, it does not, or not in time.
    """
    try:
        async with asyncio.timeout(READINESS_SECONDS):
            await database().call("ping")
    except (TimeoutError, ApiError) as error:
        raise unavailable("The database cannot be reached.") from error
