"""Health checks, the fleet's metrics, and operators' actions.

Failure policy: while DynamoDB is down, responses contain only this environment's data, marked as incomplete; an action
that could not reach the others is a 503 that says so.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

from health.operations import checks, fleet, logs, marks, system
from resilience import (
    CircuitState,
    HealthReport,
    SharedCircuit,
    StoreError,
    cache_manager,
    default_store,
    force_open_async,
    health_checker,
    performance_monitor,
    reset_circuit_async,
    shared_circuits_async,
)
from studysync.errors import NOT_FOUND, SERVICE_UNAVAILABLE, ApiError, unavailable
from studysync.settings import get_settings
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.error_tracker import error_tracker, shown, summary

WINDOW_MINUTES = 15
LONGEST_WINDOW_MINUTES = 24 * 60
_MOST_SLOW = 100
VERSION = "1.0.0"
CIRCUITS = ("auth", "database")
"""Circuits that are always listed; others are listed once they have opened."""
CONSEQUENCES = frozenset({"CircuitOpenError", "DeadlineExceededError", "PoolTimeoutError"})
"""Errors of calls that were rejected or timed out as a consequence of other errors."""


async def dependencies() -> dict[str, Any]:
    """Return the checks of the dependencies."""
    report = await health_checker.run_all()
    answer = _checked(report)
    chosen = {name: answer["checks"][name] for name in checks.DEPENDENCIES}
    found = {each["status"] for each in chosen.values()}
    status = next((each for each in ("fail", "warn") if each in found), "pass")
    return {**answer, "status": status, "checks": chosen}


async def detailed() -> dict[str, Any]:
    """Return all checks, circuits and system data.

    Raises:
        ApiError: SERVICE_UNAVAILABLE with the same data in its details, a critical check failed.
    """
    report = await health_checker.run_all()
    answer = {
        **_checked(report),
        "version": VERSION,
        "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "none"),
        "stage": get_settings().stage,
        "uptime_seconds": system.uptime_seconds(),
        "system": system.usage(),
        "circuits": await _circuits(),
    }
    if report.status == "fail":
        from health.operations.models import Detailed

        details = Detailed.model_validate(answer).model_dump(mode="json")
        raise ApiError(SERVICE_UNAVAILABLE, "A critical check failed.", details, {"Retry-After": "1"})
    return answer


def _checked(report: HealthReport) -> dict[str, Any]:
    return {
        "status": report.status,
        "checks": {name: fleet.check(result) for name, result in report.checks.items()},
        "checked_at": fleet.moment(report.at),
    }


async def metrics(minutes: int = WINDOW_MINUTES) -> dict[str, Any]:
    """Return what the fleet measured in the last minutes."""
    since = time.time() - 60 * minutes
    report = await performance_monitor.fleet_async(minutes, charted=fleet.is_traffic)
    found = [*marks.deployments(report.seen, since), *await marks.orders(since)]
    shown = [{**mark, "at": fleet.moment(mark["at"])} for mark in sorted(found, key=lambda mark: float(mark["at"]))]
    return {**fleet.metrics(report, minutes), "marks": shown, "circuits": await _circuits()}


async def environments() -> dict[str, Any]:
    """Return what each execution environment measured in the last quarter of an hour."""
    found, complete = await performance_monitor.environments_async(WINDOW_MINUTES, charted=fleet.is_traffic)
    return {
        "window_minutes": WINDOW_MINUTES,
        "complete": complete,
        "environments": [fleet.environment(e) for e in found],
    }


async def slow_requests(threshold: float, minutes: int = WINDOW_MINUTES) -> dict[str, Any]:
    """Return the fleet's slowest requests over `threshold` seconds."""
    report = await performance_monitor.fleet_async(minutes, slow=200)
    return {
        "window_minutes": minutes,
        "threshold_seconds": threshold,
        "recorded_from_seconds": performance_monitor.slow_seconds,
        "complete": report.complete,
        "requests": [
            {
                "name": each.name,
                "seconds": each.seconds,
                "at": fleet.moment(each.at),
                "failed": each.failed,
                "request_id": each.detail,
                "log_url": logs.link(each.detail, each.at),
            }
            for each in report.slow
            if each.seconds > threshold and fleet.is_traffic(each.name)
        ][:_MOST_SLOW],
    }


async def errors(limit: int) -> dict[str, Any]:
    """Return the fleet's errors."""
    found, complete = await error_tracker.occurrences.fleet_async()
    kinds = sorted((_dated(shown(each)) for each in found), key=lambda each: bool(each["consequence"]))
    return {"complete": complete, "log": logs.place(), **summary(found), "errors": kinds[:limit]}


def _dated(error: dict[str, Any]) -> dict[str, Any]:
    times = {name: fleet.moment(error[name]) for name in ("first_seen", "last_seen")}
    log_url = logs.link(error["request_id"], error["last_seen"])
    return {**error, **times, "log_url": log_url, "consequence": error["error_type"] in CONSEQUENCES}


async def circuits() -> dict[str, Any]:
    """Return the fleet's circuits."""
    return {"complete": await asyncio.to_thread(_store_answers), "circuits": await _circuits()}


async def _circuits() -> list[dict[str, Any]]:
    found = {circuit.name: circuit for circuit in await shared_circuits_async()}
    for name in CIRCUITS:
        # One that never opened has no record.
        found.setdefault(name, SharedCircuit(name, CircuitState.CLOSED, "", 0, 0.0, forced=False))
    return [fleet.circuit(found[name]) for name in sorted(found)]


def _store_answers() -> bool:
    try:
        default_store().get("control", "health")
    except StoreError:
        return False
    return True


async def reset_circuit(operator: str, name: str) -> None:
    """Close a circuit in every environment.

    Raises:
        ApiError: NOT_FOUND; SERVICE_UNAVAILABLE, DynamoDB does not answer.
    """
    await _require_circuit(name)
    await _operated(operator, "reset_circuit", name, reached=await reset_circuit_async(name))


async def open_circuit(operator: str, name: str, seconds: float | None) -> None:
    """Open a circuit in every environment; see `reset_circuit`. Without `seconds` it stays open until it is reset."""
    await _require_circuit(name)
    await _operated(operator, "open_circuit", name, reached=await force_open_async(name, seconds))


async def _require_circuit(name: str) -> None:
    if name not in {circuit["name"] for circuit in await _circuits()}:
        raise ApiError(NOT_FOUND, "This circuit does not exist.")


async def clear_cache(operator: str) -> None:
    """Clear the caches of every environment. Raises as `reset_circuit`."""
    await _operated(operator, "clear_cache", "all", reached=await cache_manager.clear_async())


async def reset_metrics(operator: str) -> None:
    """Reset the metrics of every environment. Raises as `reset_circuit`."""
    await _operated(operator, "reset_metrics", "all", reached=await performance_monitor.reset_async())


async def clear_errors(operator: str) -> None:
    """Clear the recorded errors of every environment. Raises as `reset_circuit`."""
    await _operated(operator, "clear_errors", "all", reached=await error_tracker.occurrences.clear_async())


async def _operated(operator: str, operation: str, what: str, *, reached: bool) -> None:
    audit_logger.log_data_modification(
        user_id=f"operator:{operator}",
        resource_type="operations",
        resource_id=what,
        operation=operation,
        success=reached,
    )
    await marks.record_order(operator, operation, "" if what == "all" else what)
    if not reached:
        raise unavailable("DynamoDB does not answer: only one environment applied the action.", 5)
