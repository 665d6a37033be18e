"""HTTP in and out of the health domain."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

from health import service
from health.models import Health, Liveness, Readiness
from studysync.envelope import Success

router = APIRouter(tags=["health"])


@router.get("/health")
@router.get("/health/", include_in_schema=False)
async def health() -> Success[Health]:
    """Tell that the service is there."""
    return Success(data=Health())


@router.get("/health/liveness")
@router.get("/health/liveness/", include_in_schema=False)
async def liveness() -> Success[Liveness]:
    """Tell that the process is alive; touches nothing."""
    return Success(data=Liveness())


@router.get("/health/readiness")
@router.get("/health/readiness/", include_in_schema=False)
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
