"""Whether the service can handle requests."""

from __future__ import annotations

import asyncio

from studysync.aws import snapstart
from studysync.db.client import database
from studysync.errors import ApiError, unavailable

READINESS_SECONDS = 0.2
"""Load balancers get an answer within 300 ms even when the database hangs, once it has answered this environment
before."""
FIRST_CONTACT_SECONDS = 4.0
_met = {"database": False}


async def ask_database(seconds: float) -> None:
    """Return once the database answers.

    The first answer in an environment may take longer: it includes connecting, on a processor that is busy starting.

    Args:
        seconds: the timeout.

    Raises:
        TimeoutError: it took longer.
        ApiError: it does not answer.
    """
    async with asyncio.timeout(seconds if _met["database"] else FIRST_CONTACT_SECONDS):
        await database().call("ping")
    _met["database"] = True


def forget_database() -> None:
    """Reset after a restore: a copy of this environment has to open its own connections."""
    _met["database"] = False


async def require_database() -> None:
    """Return once the database answers.

    Raises:
        ApiError: SERVICE_UNAVAILABLE, it does not answer in time.
    """
    try:
        await ask_database(READINESS_SECONDS)
    except (TimeoutError, ApiError) as error:
        raise unavailable("The database cannot be reached.") from error


snapstart.on_restore(forget_database)
