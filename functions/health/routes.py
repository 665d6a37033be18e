"""HTTP in and out of the health domain: public paths, and those of operators."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from fastapi import Path as PathParameter
from fastapi import Query
from starlette.responses import HTMLResponse, Response

from health import service
from health.models import (
    Circuits,
    Dependencies,
    Detailed,
    Done,
    Errors,
    Health,
    Liveness,
    Metrics,
    Readiness,
    SlowRequests,
)
from health.operators import Operator
from health.pages import page
from studysync.envelope import Success
from studysync.routing import create_router

router = create_router("health")
operations = create_router("operations", prefix="/health", dependencies=[Operator])

CircuitName = Annotated[str, PathParameter(max_length=100, description="A circuit of the fleet.")]


@router.get("/health")
@router.get("/health/", include_in_schema=False)  # for apps without our middleware
async def health() -> Success[Health]:
    """Tell that the service is there."""
    return Success(data=Health())


@router.get("/health/liveness")
async def liveness() -> Success[Liveness]:
    """Tell that the process is alive; touches nothing."""
    return Success(data=Liveness())


@router.get("/health/readiness")
async def readiness() -> Success[Readiness]:
    """Tell that requests can be served; 503 when the database cannot be reached."""
    await service.require_database()
    return Success(data=Readiness())


@lru_cache(maxsize=1)
def _document() -> bytes:
    return Path(__file__).with_name("openapi.json").read_bytes()


@router.get("/api/openapi.json", response_model=None)
async def openapi() -> Response:
    """Return the OpenAPI document of the whole API."""
    return Response(_document(), media_type="application/json", headers={"Cache-Control": "public, max-age=300"})


@router.get("/api/docs", response_class=HTMLResponse)
async def docs() -> Response:
    """Show the OpenAPI document."""
    return page("docs")


@router.get("/health/dashboard", response_class=HTMLResponse)
async def dashboard() -> Response:
    """Show how the service is. The page holds nothing itself: it asks the paths below, with the operator's token."""
    return page("dashboard")


def _get(path: str, model: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return operations.get(path, response_model=Success[model])


def _post(path: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return operations.post(path, response_model=Success[Done])


@_get("/detailed", Detailed)
async def detailed() -> Any:
    """Check everything: 200 with `warn` when degraded, 503 when a critical check failed."""
    return {"data": await service.detailed()}


@_get("/dependencies", Dependencies)
async def dependencies() -> Any:
    """Check what the service stands on."""
    return {"data": await service.dependencies()}


@_get("/metrics", Metrics)
async def metrics(minutes: Annotated[int, Query(ge=1, le=60)] = service.WINDOW_MINUTES) -> Any:
    """Tell what the fleet measured in the last minutes."""
    return {"data": await service.metrics(minutes)}


@_get("/slow-requests", SlowRequests)
async def slow_requests(threshold: Annotated[float, Query(ge=0, le=60, description="Seconds.")] = 1.0) -> Any:
    """List the slowest requests of the last quarter of an hour."""
    return {"data": await service.slow_requests(threshold)}


@_get("/errors", Errors)
async def errors(limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Any:
    """List the errors of the last 24 hours, the most frequent first."""
    return {"data": await service.errors(limit)}


@_get("/circuits", Circuits)
async def circuits() -> Any:
    """List the circuits and what became of them."""
    return {"data": await service.circuits()}


@_post("/circuits/{name}/reset")
async def reset_circuit(name: CircuitName) -> Any:
    """Close a circuit in every environment."""
    await service.reset_circuit(name)
    return {"data": {}}


@_post("/circuits/{name}/open")
async def open_circuit(
    name: CircuitName,
    seconds: Annotated[float | None, Query(gt=0, le=86_400, description="Absent: until it is reset.")] = None,
) -> Any:
    """Open a circuit in every environment."""
    await service.open_circuit(name, seconds)
    return {"data": {}}


@_post("/clear-cache")
async def clear_cache() -> Any:
    """Empty the caches of every environment."""
    await service.clear_cache()
    return {"data": {}}


@_post("/reset-metrics")
async def reset_metrics() -> Any:
    """Begin to measure anew in every environment."""
    await service.reset_metrics()
    return {"data": {}}


@_post("/clear-errors")
async def clear_errors() -> Any:
    """Forget the errors seen, in every environment."""
    await service.clear_errors()
    return {"data": {}}
