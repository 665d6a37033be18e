"""Rejects what operators have switched off: writes in read-only mode, and single routes."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from studysync.aws.switches import flag, load
from studysync.errors import ApiError, unavailable
from studysync.web.middleware.error_handler import error_response

# Without these an operator could not switch anything on again.
ALWAYS_OPEN = "/health"
READING = frozenset({"GET", "OPTIONS"})  # HEAD is a GET by now
SIGNING_IN = frozenset({"/api/auth/login", "/api/auth/refresh", "/api/auth/logout"})
"""Writes that stay open in read-only mode: only Supabase Auth stores something."""
_RETRY_SECONDS = 60


class SwitchesMiddleware:
    """Answers 503 with ``Retry-After`` for what is switched off."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "http" and not scope["path"].startswith(ALWAYS_OPEN):
            await load()
            refused = _refusal(scope)
            if refused is not None:
                await error_response(refused, scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _refusal(scope: Scope) -> ApiError | None:
    """Return the error for a request to something that is switched off, or ``None``."""
    if flag("read_only", deployed=False) and scope["method"] not in READING and scope["path"] not in SIGNING_IN:
        return unavailable("StudySync is read-only for maintenance. Please try again later.", _RETRY_SECONDS)
    closed_routes: Sequence[str] = flag("closed_routes", deployed=())
    if closed_routes and f"{scope['method']} {_template(scope)}" in closed_routes:
        return unavailable("This is temporarily unavailable. Please try again later.", _RETRY_SECONDS)
    return None


def _template(scope: Scope) -> str:
    """Return the template of the route that will answer: of several that match, the app takes the first."""
    matching = (route for route in scope["app"].router.routes if route.matches(scope)[0] is Match.FULL)
    return getattr(next(matching, None), "path", "")
