"""The paths of the stand-in, and the format of its responses."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from local.auth import admin, public
from local.auth.errors import VERSION_HEADER, AuthError, database_error
from local.auth.parts import Parts
from local.auth.settings import Settings

_BASE = "/auth/v1"
_Handler = Callable[[Parts, Request], Awaitable[Response]]
_ROUTES: list[tuple[str, str, _Handler]] = [
    ("POST", "/signup", public.signup),
    ("POST", "/token", public.token),
    ("GET", "/user", public.user),
    ("PUT", "/user", public.update_user),
    ("GET", "/reauthenticate", public.reauthenticate),
    ("POST", "/logout", public.logout),
    ("POST", "/recover", public.recover),
    ("POST", "/otp", public.otp),
    ("POST", "/magiclink", public.otp),
    ("POST", "/resend", public.resend),
    ("POST", "/verify", public.verify),
    ("GET", "/verify", public.verify_link),
    ("GET", "/authorize", public.authorize),
    ("POST", "/factors", public.enroll_factor),
    ("POST", "/factors/{factor_id}/challenge", public.challenge_factor),
    ("POST", "/factors/{factor_id}/verify", public.verify_factor),
    ("DELETE", "/factors/{factor_id}", public.remove_factor),
    ("GET", "/settings", public.settings),
    ("GET", "/health", public.health),
    ("GET", "/.well-known/jwks.json", public.jwks),
    ("POST", "/admin/users", admin.create_user),
    ("GET", "/admin/users", admin.list_users),
    ("GET", "/admin/users/{user_id}", admin.read_user),
    ("PUT", "/admin/users/{user_id}", admin.update_user),
    ("DELETE", "/admin/users/{user_id}", admin.delete_user),
    ("GET", "/admin/users/{user_id}/factors", admin.list_factors),
    ("POST", "/admin/generate_link", admin.generate_link),
]
_MAILBOX: list[tuple[str, str, _Handler]] = [
    ("GET", "/mailbox", public.mailbox),
    ("GET", "/mailbox/{name}", public.one_mail),
]
SPOKEN = [(method, path) for method, path, _ in _ROUTES]
"""The supported methods and paths of GoTrue."""


def create_app(settings: Settings) -> Starlette:
    """The ASGI application."""
    parts = Parts(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with parts.pool:
            yield

    spoken = Starlette(
        routes=[Route(path, _serve(parts, handler), methods=[method]) for method, path, handler in _ROUTES],
        exception_handlers={HTTPException: _outside},
        middleware=[
            Middleware(CORSMiddleware, allow_origins=["*"], expose_headers=["x-total-count", "link", VERSION_HEADER])
        ],
    )
    return Starlette(
        lifespan=lifespan,
        # Outside of CORS, because pages of other sites must not read the mailbox.
        routes=[
            *(Route(path, _serve(parts, handler), methods=[method]) for method, path, handler in _MAILBOX),
            Mount(_BASE, app=spoken),
        ],
        exception_handlers={HTTPException: _outside},
    )


def _serve(parts: Parts, handler: _Handler) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        try:
            return await handler(parts, request)
        except AuthError as error:
            return _refusal(request, error)
        except (psycopg.Error, OSError) as error:
            print(f"database: {error}", flush=True)
            return _refusal(request, database_error("querying"))

    return serve


def _refusal(request: Request, error: AuthError) -> Response:
    version = request.headers.get(VERSION_HEADER, "")
    headers = {"x-sb-error-code": error.code} | ({VERSION_HEADER: version} if version else {})
    return JSONResponse(error.body(version), status_code=error.status, headers=headers)


async def _outside(request: Request, error: Exception) -> Response:
    """Answer paths that are not supported here."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "unexpected_failure")
    return _refusal(
        request, AuthError(error.status_code, code, f"{request.method} {request.url.path} is not supported here")
    )
