"""Rejects what operators have switched off: writes in read-only mode, and single routes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from starlette.routing import compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from studysync.aws.switches import flag, load
from studysync.errors import ApiError, unavailable
from studysync.web.middleware.error_handler import error_response

# Without these an operator could not switch anything on again.
ALWAYS_OPEN = "/health"
READING = frozenset({"GET", "HEAD", "OPTIONS"})
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
            refused = refusal(scope["method"], scope["path"])
            if refused is not None:
                await error_response(refused, scope["path"])(scope, receive, send)
                return
        await self.app(scope, receive, send)


def refusal(method: str, path: str) -> ApiError | None:
    """Return the error for a request to something that is switched off, or ``None``."""
    if flag("read_only", deployed=False) and method not in READING and path not in SIGNING_IN:
        return unavailable("StudySync is read-only for maintenance. Please try again later.", _RETRY_SECONDS)
    asked = "GET" if method == "HEAD" else method
    closed_routes: Sequence[str] = flag("closed_routes", deployed=())
    for route in closed_routes:
        closed, _, template = route.partition(" ")
        if asked == closed and _pattern(template).match(path):
            return unavailable("This is temporarily unavailable. Please try again later.", _RETRY_SECONDS)
    return None


@lru_cache(maxsize=256)
def _pattern(template: str) -> re.Pattern[str]:
    return compile_path(template)[0]
