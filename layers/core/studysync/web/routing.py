"""Routers whose routes are added to an app without rebuilding them (see `studysync.web.app`)."""

from __future__ import annotations

from importlib import import_module
from typing import Any, NoReturn

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Scope

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


class LazyRoutes(BaseRoute):
    """Loads the routes of a module on the first request that may be for one of them; must be an app's last route.

    Args:
        module: has a `router`.
        prefix: of all its paths. Requests for routes before this one do not load the module.
    """

    def __init__(self, module: str, *, prefix: str) -> None:
        self._module, self._prefix = module, prefix
        self._loaded = False

    def load(self) -> list[BaseRoute]:
        """Return the routes."""
        router: APIRouter = import_module(self._module).router
        return router.routes

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match nothing, but append the routes to the app's, which are tried next."""
        if not self._loaded and scope["path"].startswith(self._prefix):
            scope["app"].router.routes.extend(self.load())
            self._loaded = True
        return Match.NONE, {}

    def url_path_for(self, name: str, /, **path_params: Any) -> NoReturn:
        """Resolve no names, because nobody uses them."""
        raise NoMatchFound(name, path_params)
