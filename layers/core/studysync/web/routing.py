"""Routers whose routes are added to an app without rebuilding them (see `studysync.web.app`)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
}


def create_router(tag: str, *, prefix: str = "", dependencies: list[Any] | None = None) -> APIRouter:
    """Return a router for the routes below `prefix`; each documents the error response.

    Args:
        tag: of its routes in the OpenAPI document.
        prefix: of all paths.
        dependencies: of all routes, as FastAPI's `Depends`.
    """
    return APIRouter(prefix=prefix, tags=[tag], dependencies=dependencies, responses=PROBLEM)
