"""Routers whose routes an app takes over as they are (see `studysync.app`)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error, in the one shape that all errors have.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
}


def create_router(tag: str, *, prefix: str = "", dependencies: list[Any] | None = None) -> APIRouter:
    """Return a router for the routes below `prefix`; each documents the one shape of errors.

    Args:
        tag: under which its routes stand in the OpenAPI document.
        prefix: of all their paths.
        dependencies: of all of them, as FastAPI's `Depends`.
    """
    return APIRouter(prefix=prefix, tags=[tag], dependencies=dependencies, responses=PROBLEM)
