"""HTTP routes of the health domain for operators."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Path, Query

from health.operations import accounts, alarms, checks, service, switches
from health.operations.authentication import Operator, operator
from health.operations.models import (
    ActionDone,
    Alarms,
    Circuits,
    Dependencies,
    Detailed,
    Environments,
    Errors,
    Metrics,
    SlowRequests,
)
from studysync.web.responses import Success
from studysync.web.routing import create_router

checks.register()
router = create_router("operations", prefix="/health", dependencies=[Depends(operator)])
router.routes.extend([*accounts.router.routes, *switches.router.routes])  # as `studysync.web.app` does

CircuitName = Annotated[str, Path(max_length=100, description="The name of a circuit.")]

Minutes = Annotated[int, Query(ge=1, le=service.LONGEST_WINDOW_MINUTES)]


@router.get("/detailed")
async def detailed() -> Success[Detailed]:
    """Run all checks. Returns 200 with `warn` when degraded, 503 when a critical check fails."""
    return Success(data=await service.detailed())


@router.get("/dependencies")
async def dependencies() -> Success[Dependencies]:
    """Check the dependencies of the service."""
    return Success(data=await service.dependencies())


@router.get("/metrics")
async def metrics(minutes: Minutes = service.WINDOW_MINUTES) -> Success[Metrics]:
    """Get the fleet's metrics of the last minutes, per minute up to an hour, per ten minutes up to a day."""
    return Success(data=await service.metrics(minutes))


@router.get("/environments")
async def environments() -> Success[Environments]:
    """List the execution environments of the last 15 minutes."""
    return Success(data=await service.environments())


@router.get("/alarms")
async def state_of_alarms() -> Success[Alarms]:
    """List the stack's alarms and their state, if CloudWatch is available."""
    return Success(data=await alarms.alarms())


@router.get("/slow-requests")
async def slow_requests(
    threshold: Annotated[float, Query(ge=0, le=60, description="Seconds.")] = 1.0,
    minutes: Minutes = service.WINDOW_MINUTES,
) -> Success[SlowRequests]:
    """List the slowest requests of the last minutes."""
    return Success(data=await service.slow_requests(threshold, minutes))


@router.get("/errors")
async def errors(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Success[Errors]:
    """List the errors of the last 24 hours, most frequent first."""
    return Success(data=await service.errors(limit))


@router.get("/circuits")
async def circuits() -> Success[Circuits]:
    """List the circuits and their history."""
    return Success(data=await service.circuits())


@router.post("/circuits/{name}/reset")
async def reset_circuit(who: Operator, name: CircuitName) -> Success[ActionDone]:
    """Close a circuit in every environment."""
    await service.reset_circuit(who, name)
    return Success(data=ActionDone())


@router.post("/circuits/{name}/open")
async def open_circuit(
    who: Operator,
    name: CircuitName,
    seconds: Annotated[float | None, Query(gt=0, le=86_400, description="Default: until it is reset.")] = None,
) -> Success[ActionDone]:
    """Open a circuit in every environment."""
    await service.open_circuit(who, name, seconds)
    return Success(data=ActionDone())


@router.post("/clear-cache")
async def clear_cache(who: Operator) -> Success[ActionDone]:
    """Clear the caches of every environment."""
    await service.clear_cache(who)
    return Success(data=ActionDone())


@router.post("/reset-metrics")
async def reset_metrics(who: Operator) -> Success[ActionDone]:
    """Reset the metrics of every environment."""
    await service.reset_metrics(who)
    return Success(data=ActionDone())


@router.post("/clear-errors")
async def clear_errors(who: Operator) -> Success[ActionDone]:
    """Clear the recorded errors of every environment."""
    await service.clear_errors(who)
    return Success(data=ActionDone())
