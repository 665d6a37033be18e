"""HTTP routes of the health domain that are open to everyone."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from health import service
from health.models import Health, Liveness, Readiness
from health.operations.pages import page
from studysync.web.conditional import TAGGED, StaticAnswer
from studysync.web.responses import Success
from studysync.web.routing import create_router

router = create_router("health")


@router.get("/", include_in_schema=False)
async def root() -> Response:
    """Redirect visitors to the pages."""
    return RedirectResponse("/api/docs", 302)


@router.get("/health")
@router.get("/health/", include_in_schema=False)  # for apps without our middleware
async def health() -> Success[Health]:
    """Check that the service is running."""
    return Success(data=Health())


@router.get("/health/liveness")
async def liveness() -> Success[Liveness]:
    """Check that the process is alive. Checks no dependency."""
    return Success(data=Liveness())


@router.get("/health/readiness")
async def readiness() -> Success[Readiness]:
    """Check that the service can handle requests. Returns 503 when the database cannot be reached."""
    await service.require_database()
    return Success(data=Readiness())


@lru_cache(maxsize=1)
def _document() -> StaticAnswer:
    headers = {"Cache-Control": "public, max-age=300"}
    return StaticAnswer(Path(__file__).with_name("openapi.json").read_bytes(), "application/json", headers)


@router.get("/api/openapi.json", response_model=None, responses=TAGGED)
async def openapi(request: Request) -> Response:
    """Get the OpenAPI document of the whole API."""
    return _document().to(request)


@router.get("/api/docs", response_class=HTMLResponse, responses=TAGGED)
async def docs(request: Request) -> Response:
    """Show the API reference."""
    return page("docs").to(request)


@router.get("/health/dashboard", response_class=HTMLResponse, responses=TAGGED)
async def dashboard(request: Request) -> Response:
    """Show the dashboard. The page contains no data: it calls the operators' endpoints with the operator's token."""
    return page("dashboard").to(request)
