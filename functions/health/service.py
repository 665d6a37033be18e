"""Whether the service can do its work."""

from __future__ import annotations

import asyncio

from studysync.aws import snapstart
from studysync.db.client import database
from studysync.errors import ApiError, unavailable

READINESS_SECONDS = 0.2
"""However the database hangs, a load balancer has its answer within 300 ms, once the database has answered here."""
FIRST_CONTACT_SECONDS = 4.0
_met = {"database": False}


async def ask_database(seconds: float) -> None:
    """Come back when the database answers.

    The first answer that this environment gets may take longer: it has to connect, on a processor that has much to do.

    Args:
        seconds: how long it may take.

    Raises:
        TimeoutError: it took longer.
        ApiError: it does not answer.
    """
    async with asyncio.timeout(seconds if _met["database"] else FIRST_CONTACT_SECONDS):
        await database().call("ping")
    _met["database"] = True


def forget_database() -> None:
    """Be young again: a copy of this environment has connections of its own to make."""
    _met["database"] = False


async def require_database() -> None:
    """Come back when the database answers.

    Raises:
        ApiError: SERVICE_UNAVAILABLE, it does not, or not in time.
    """
    try:
        await ask_database(READINESS_SECONDS)
    except (TimeoutError, ApiError) as error:
        raise unavailable("The database cannot be reached.") from error


snapstart.on_restore(forget_database)
