"""The health checks. Each has a timeout, and only the database is critical.

Without Supabase Auth nobody can sign in, but users who are signed in can continue; without DynamoDB, environments stop
sharing state. Both cause a warning, and neither takes the service down.
"""

from __future__ import annotations

from health.operations.system import cpu, disk, memory
from health.service import FIRST_CONTACT_SECONDS, ping_database
from resilience import DynamoStore, default_store, health_checker, shared_circuits_async
from studysync.db.transport import http_client
from studysync.settings import get_settings

DEPENDENCIES = ("database", "auth", "dynamodb")
HIGH_PERCENT = 90.0
BUSY_PERCENT = 98.0
_SECONDS = 1.0
_OTHERS_SECONDS = 3.0
"""A new environment loads, connects and reads certificates first, perhaps on a processor that has much to do."""


class UnhealthyError(Exception):
    """A check failed."""


async def _database() -> str:
    await ping_database(_SECONDS)
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


def _within(what: str, percent: float, limit: float) -> str:
    if percent >= limit:
        raise UnhealthyError(f"{percent:.0f} % of the {what} is in use.")
    return f"{percent:.0f} % in use"


def register() -> None:
    """Register every check with the process's `health_checker`."""
    health_checker.register_check("database", _database, timeout=FIRST_CONTACT_SECONDS + _SECONDS)
    for name, check in (
        ("auth", _auth),
        ("dynamodb", _dynamodb),
        ("circuits", _circuits),
        ("memory", _memory),
        ("disk", _disk),
        ("cpu", _cpu),
    ):
        health_checker.register_check(name, check, timeout=_OTHERS_SECONDS, critical=False)
