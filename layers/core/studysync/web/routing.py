"""Routers whose routes an app takes over as they are (see `studysync.web.app`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NoReturn

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Scope

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


class LazyRoutes(BaseRoute):
    """Stands at the end of an app's routes for those of a module that is loaded when a request may be for one of them.

    Args:
        module: has a `router`.
        prefix: of all its paths. Requests for routes before this one load nothing.
    """

    def __init__(self, module: str, *, prefix: str) -> None:
        self._module, self._prefix = module, prefix
        self._loaded = False

    def load(self) -> list[BaseRoute]:
        """Return the routes."""
        router: APIRouter = import_module(self._module).router
        return router.routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match nothing, but have the routes follow this one, where they are asked next."""
        if not self._loaded and scope["path"].startswith(self._prefix):
            scope["app"].router.routes.extend(self.load())
            self._loaded = True
        return Match.NONE, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """Know no names: nobody asks for any."""
        raise NoMatchFound(name, path_params)
