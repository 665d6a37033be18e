"""What is checked, and how: each check within its time, and only the database is critical.

Without Supabase Auth nobody signs in but everybody who has goes on; without DynamoDB environments stop sharing what
they know. Both are worth a warning, neither takes the service down.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import lru_cache
from types import ModuleType
from typing import Any

from resilience import DynamoStore, default_store, health_checker, shared_circuits_async
from studysync import snapshot
from studysync.database import database
from studysync.http import http_client
from studysync.settings import get_settings

DEPENDENCIES = ("database", "auth", "dynamodb")
HIGH_PERCENT = 90.0
BUSY_PERCENT = 98.0
_SECONDS = 1.0
YOUNG_SECONDS = 4.0
_met = {"database": False}
_MEGABYTE = 1024 * 1024
_measured = {"at": time.monotonic(), "percent": 0.0}


class UnhealthyError(Exception):
    """A check's bad news."""


async def ask_database(seconds: float) -> None:
    """Come back when the database answers.

    The first answer that this environment gets may take longer: it has to connect, on a processor that has much to do.

    Args:
        seconds: how long it may take.

    Raises:
        TimeoutError: it took longer.
        ApiError: it does not answer.
    """
    async with asyncio.timeout(seconds if _met["database"] else YOUNG_SECONDS):
        await database().call("ping")
    _met["database"] = True


def forget_database() -> None:
    """Be young again: a copy of this environment has connections of its own to make."""
    _met["database"] = False


async def _database() -> str:
    await ask_database(_SECONDS)
    return "The database answers."


async def _auth() -> str:
    response = await http_client().get(f"{get_settings().supabase_auth_url}/.well-known/jwks.json")
    if response.is_server_error:
        raise UnhealthyError(f"Supabase Auth answers with status {response.status_code}.")
    return "Supabase Auth answers."


def _dynamodb() -> str:
    store = default_store()
    store.get("control", "health")
    return "The table answers." if isinstance(store, DynamoStore) else "No table: environments share nothing."


def _memory() -> str:
    return _within("memory", memory()["percent"], HIGH_PERCENT)


def _disk() -> str:
    return _within("disk", disk()["percent"], HIGH_PERCENT)


def _cpu() -> str:
    return _within("CPU", cpu()["percent"], BUSY_PERCENT)


async def _circuits() -> str:
    away = [circuit.name for circuit in await shared_circuits_async() if circuit.state != "closed"]
    if away:
        raise UnhealthyError(f"Not closed: {', '.join(away)}.")
    return "All circuits are closed."


@lru_cache(maxsize=1)
def _psutil() -> ModuleType:
    """Load psutil, 10 ms of a cold start, when somebody wants to see inside the machine."""
    import psutil

    psutil.cpu_percent(interval=None)  # the first answer means nothing
    return psutil


def _within(what: str, percent: float, limit: float) -> str:
    if percent >= limit:
        raise UnhealthyError(f"{percent:.0f} % of the {what} is in use.")
    return f"{percent:.0f} % in use"


def memory() -> dict[str, float]:
    """Return what this process has of its memory: the function's on Lambda, the machine's elsewhere."""
    used = _psutil().Process().memory_info().rss / _MEGABYTE
    # The local stack names the function's size and does not hold anybody to it.
    local = "AWS_SAM_LOCAL" in os.environ or "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" not in os.environ
    if local:
        machine = _psutil().virtual_memory()
        return {"used_mb": round(used, 1), "total_mb": round(machine.total / _MEGABYTE, 1), "percent": machine.percent}
    total = float(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    return {"used_mb": round(used, 1), "total_mb": total, "percent": round(100 * used / total, 1)}


def disk() -> dict[str, float]:
    """Return the use of the disk that code may write to."""
    usage = _psutil().disk_usage("/tmp")  # noqa: S108 - the one place that Lambda lets write
    return {
        "used_mb": round(usage.used / _MEGABYTE, 1),
        "total_mb": round(usage.total / _MEGABYTE, 1),
        "percent": usage.percent,
    }


def cpu() -> dict[str, float]:
    """Return the processors' use since somebody asked last, a second ago or more; nothing yet, the first time."""
    now = time.monotonic()
    if now - _measured["at"] >= 1:
        _measured.update(at=now, percent=_psutil().cpu_percent(interval=None))
    return {"percent": _measured["percent"], "count": _psutil().cpu_count() or 1}


def system() -> dict[str, Any]:
    """Return memory, disk and CPU in numbers."""
    return {"memory": memory(), "disk": disk(), "cpu": cpu()}


def uptime_seconds() -> float:
    """Return how long this process has been running."""
    return round(time.time() - float(_psutil().Process().create_time()), 1)


def register() -> None:
    """Register every check with the process's `health_checker`."""
    snapshot.on_restored(forget_database)
    health_checker.register_check("database", _database, timeout=YOUNG_SECONDS + _SECONDS)
    for name, check in (
        ("auth", _auth),
        ("dynamodb", _dynamodb),
        ("circuits", _circuits),
        ("memory", _memory),
        ("disk", _disk),
        ("cpu", _cpu),
    ):
        health_checker.register_check(name, check, timeout=_SECONDS, critical=False)
