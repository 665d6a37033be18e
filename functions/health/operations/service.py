"""Health checks, the fleet's metrics, and operators' actions.

Failure policy: while DynamoDB is down, responses contain only this environment's data, marked as incomplete; an action
that could not reach the others is a 503 that says so.
"""

from __future__ import annotations

import asyncio
import os
import time

from health.operations import checks, fleet, logs, marks, system
from health.operations.models import (
    Circuit,
    Circuits,
    Dependencies,
    Detailed,
    Environments,
    Errors,
    Metrics,
    SeenError,
    SlowRequest,
    SlowRequests,
    Status,
    System,
)
from resilience import (
    CircuitState,
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
from studysync.telemetry.error_tracker import TrackedError, error_tracker, summary, tracked_error

WINDOW_MINUTES = 15
LONGEST_WINDOW_MINUTES = 24 * 60
_MOST_SLOW = 100
VERSION = "1.0.0"
CIRCUITS = ("auth", "database")
"""Circuits that are always listed; others are listed once they have opened."""
CONSEQUENCES = frozenset({"CircuitOpenError", "DeadlineExceededError", "BulkheadFullError"})
"""Errors of calls that were rejected or timed out as a consequence of other errors."""


async def dependencies() -> Dependencies:
    """Return the checks of the dependencies."""
    report = await health_checker.run_all()
    chosen = {name: fleet.check(report.checks[name]) for name in checks.DEPENDENCIES}
    found = {each.status for each in chosen.values()}
    status: Status = "fail" if "fail" in found else "warn" if "warn" in found else "pass"
    return Dependencies(status=status, checks=chosen, checked_at=fleet.moment(report.at))


async def detailed() -> Detailed:
    """Return all checks, circuits and system data.

    Raises:
        ApiError: SERVICE_UNAVAILABLE with the same data in its details, a critical check failed.
    """
    report = await health_checker.run_all()
    answer = Detailed(
        status=report.status,
        checks={name: fleet.check(result) for name, result in report.checks.items()},
        checked_at=fleet.moment(report.at),
        version=VERSION,
        function_version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "none"),
        stage=get_settings().stage,
        uptime_seconds=system.uptime_seconds(),
        system=System.model_validate(system.usage()),
        circuits=await _circuits(),
    )
    if report.status == "fail":
        details = answer.model_dump(mode="json")
        raise ApiError(SERVICE_UNAVAILABLE, "A critical check failed.", details, {"Retry-After": "1"})
    return answer


async def metrics(minutes: int = WINDOW_MINUTES) -> Metrics:
    """Return what the fleet measured in the last minutes."""
    since = time.time() - 60 * minutes
    report = await performance_monitor.fleet_async(minutes, charted=fleet.is_traffic)
    found = [*marks.deployments(report.seen, since), *await marks.orders(since)]
    return fleet.metrics(report, minutes, sorted(found, key=lambda mark: mark.at), await _circuits())


async def environments() -> Environments:
    """Return what each execution environment measured in the last quarter of an hour."""
    found, complete = await performance_monitor.environments_async(WINDOW_MINUTES, charted=fleet.is_traffic)
    return Environments(
        window_minutes=WINDOW_MINUTES,
        complete=complete,
        environments=[fleet.environment(each) for each in found],
    )


async def slow_requests(threshold: float, minutes: int = WINDOW_MINUTES) -> SlowRequests:
    """Return the fleet's slowest requests over `threshold` seconds."""
    report = await performance_monitor.fleet_async(minutes, slow=200)
    return SlowRequests(
        window_minutes=minutes,
        threshold_seconds=threshold,
        recorded_from_seconds=performance_monitor.slow_seconds,
        complete=report.complete,
        requests=[
            SlowRequest(
                name=each.name,
                seconds=each.seconds,
                at=fleet.moment(each.at),
                failed=each.failed,
                request_id=each.detail,
                log_url=logs.link(each.detail, each.at),
            )
            for each in report.slow
            if each.seconds > threshold and fleet.is_traffic(each.name)
        ][:_MOST_SLOW],
    )


async def errors(limit: int) -> Errors:
    """Return the fleet's errors."""
    found, complete = await error_tracker.counter.fleet_async()
    kinds = sorted((_seen_error(tracked_error(each)) for each in found), key=lambda each: each.consequence)
    return Errors(complete=complete, log=logs.place(), **summary(found), errors=kinds[:limit])


def _seen_error(error: TrackedError) -> SeenError:
    return SeenError(
        fingerprint=error["fingerprint"],
        count=error["count"],
        first_seen=fleet.moment(error["first_seen"]),
        last_seen=fleet.moment(error["last_seen"]),
        error_type=error["error_type"],
        message=error["message"],
        where=error["where"],
        request_id=error["request_id"],
        log_url=logs.link(error["request_id"], error["last_seen"]),
        consequence=error["error_type"] in CONSEQUENCES,
    )


async def circuits() -> Circuits:
    """Return the fleet's circuits."""
    return Circuits(complete=await asyncio.to_thread(_store_answers), circuits=await _circuits())


async def _circuits() -> list[Circuit]:
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
    if name not in {circuit.name for circuit in await _circuits()}:
        raise ApiError(NOT_FOUND, "This circuit does not exist.")


async def clear_cache(operator: str) -> None:
    """Clear the caches of every environment. Raises as `reset_circuit`."""
    await _operated(operator, "clear_cache", "all", reached=await cache_manager.clear_async())


async def reset_metrics(operator: str) -> None:
    """Reset the metrics of every environment. Raises as `reset_circuit`."""
    await _operated(operator, "reset_metrics", "all", reached=await performance_monitor.reset_async())


async def clear_errors(operator: str) -> None:
    """Clear the recorded errors of every environment. Raises as `reset_circuit`."""
    await _operated(operator, "clear_errors", "all", reached=await error_tracker.counter.clear_async())


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
