"""HTTP routes of the health domain for operators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, Path, Query

from health.operations import accounts, alarms, checks, service
from health.operations.authentication import Operator, operator
from health.operations.models import (
    Alarms,
    Circuits,
    Dependencies,
    Detailed,
    Done,
    Environments,
    Errors,
    Metrics,
    SlowRequests,
)
from studysync.web.responses import Success
from studysync.web.routing import create_router

checks.register()
router = create_router("operations", prefix="/health", dependencies=[Depends(operator)])
router.include_router(accounts.router)

CircuitName = Annotated[str, Path(max_length=100, description="The name of a circuit.")]

Minutes = Annotated[int, Query(ge=1, le=service.LONGEST_WINDOW_MINUTES)]


def _get(path: str, model: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return router.get(path, response_model=Success[model])


def _post(path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return router.post(path, response_model=Success[Done])


@_get("/detailed", Detailed)
async def detailed() -> Any:
    """Run all checks. Returns 200 with `warn` when degraded, 503 when a critical check fails."""
    return {"data": await service.detailed()}


@_get("/dependencies", Dependencies)
async def dependencies() -> Any:
    """Check the dependencies of the service."""
    return {"data": await service.dependencies()}


@_get("/metrics", Metrics)
async def metrics(minutes: Minutes = service.WINDOW_MINUTES) -> Any:
    """Get the fleet's metrics of the last minutes, per minute up to an hour, per ten minutes up to a day."""
    return {"data": await service.metrics(minutes)}


@_get("/environments", Environments)
async def environments() -> Any:
    """List the execution environments of the last 15 minutes."""
    return {"data": await service.environments()}


@_get("/alarms", Alarms)
async def state_of_alarms() -> Any:
    """List the stack's alarms and their state, if CloudWatch is available."""
    return {"data": await alarms.alarms()}


@_get("/slow-requests", SlowRequests)
async def slow_requests(
    threshold: Annotated[float, Query(ge=0, le=60, description="Seconds.")] = 1.0,
    minutes: Minutes = service.WINDOW_MINUTES,
) -> Any:
    """List the slowest requests of the last minutes."""
    return {"data": await service.slow_requests(threshold, minutes)}


@_get("/errors", Errors)
async def errors(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Any:
    """List the errors of the last 24 hours, most frequent first."""
    return {"data": await service.errors(limit)}


@_get("/circuits", Circuits)
async def circuits() -> Any:
    """List the circuits and their history."""
    return {"data": await service.circuits()}


@_post("/circuits/{name}/reset")
async def reset_circuit(who: Operator, name: CircuitName) -> Any:
    """Close a circuit in every environment."""
    await service.reset_circuit(who, name)
    return {"data": {}}


@_post("/circuits/{name}/open")
async def open_circuit(
    who: Operator,
    name: CircuitName,
    seconds: Annotated[float | None, Query(gt=0, le=86_400, description="Default: until it is reset.")] = None,
) -> Any:
    """Open a circuit in every environment."""
    await service.open_circuit(who, name, seconds)
    return {"data": {}}


@_post("/clear-cache")
async def clear_cache(who: Operator) -> Any:
    """Clear the caches of every environment."""
    await service.clear_cache(who)
    return {"data": {}}


@_post("/reset-metrics")
async def reset_metrics(who: Operator) -> Any:
    """Reset the metrics of every environment."""
    await service.reset_metrics(who)
    return {"data": {}}


@_post("/clear-errors")
async def clear_errors(who: Operator) -> Any:
    """Clear the recorded errors of every environment."""
    await service.clear_errors(who)
    return {"data": {}}
