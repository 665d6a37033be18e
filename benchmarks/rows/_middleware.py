"""The same middleware as most projects write it: one `BaseHTTPMiddleware` class per concern.

The classes call the same helpers as ours (context, limiter, monitor, log), so only the style of middleware differs.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI
from mangum import Mangum
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import Response

from resilience import RateLimiter, flush, performance_monitor, set_deadline, track_degradation
from studysync.auth.dependencies import caller_of
from studysync.context import begin_request, route_template
from studysync.errors import INTERNAL_ERROR, RATE_LIMIT_EXCEEDED, ApiError
from studysync.telemetry.logging import app_logger
from studysync.web.middleware.error_handler import error_response, install_handlers, to_api_error
from studysync.web.middleware.request_context import SECURITY_HEADERS


class Context(BaseHTTPMiddleware):
    """Request id, deadline, response headers and one log line."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve one request."""
        context = begin_request(request.scope, request.headers.get("x-request-id"), request.headers.get("traceparent"))
        with track_degradation():
            set_deadline(29.0)
            response = await call_next(request)
        response.headers["X-Request-Id"] = context.request_id
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        route = route_template(request.scope)
        performance_monitor.record(f"{context.method} {route}", context.duration_seconds, error=False)
        app_logger.log_request(
            method=context.method, path=route, status_code=response.status_code, duration=context.duration_seconds
        )
        return response


class Errors(BaseHTTPMiddleware):
    """Conversion of exceptions to error responses."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve one request."""
        try:
            return await call_next(request)
        except Exception as error:  # noqa: BLE001 - as ours
            answer = to_api_error(error)
            if answer.kind is INTERNAL_ERROR:
                app_logger.exception("unhandled error", kind="error", error_type=type(error).__name__)
            return error_response(answer, request.url.path)


class Validation(BaseHTTPMiddleware):
    """Check of the size and content type of bodies."""

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve one request."""
        if request.method in {"POST", "PUT", "PATCH", "DELETE"}:
            body = await request.body()
            if len(body) > 2 * 1024 * 1024 or (body and "json" not in request.headers.get("content-type", "")):
                raise ValueError("refused")
        return await call_next(request)


class Limits(BaseHTTPMiddleware):
    """Rate limits per minute and hour."""

    def __init__(self, app: Any, limiter: RateLimiter) -> None:
        super().__init__(app)
        self.limiter = limiter

    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        """Serve one request."""
        caller = await caller_of(Headers(scope=request.scope).get("authorization"))
        decision = await self.limiter.check_async(f"user:{caller.user_id}" if caller else "address:unknown")
        if not decision.allowed:
            raise ApiError(RATE_LIMIT_EXCEEDED, "Too many requests.")
        response = await call_next(request)
        response.headers.update(decision.headers())
        return response


def peer_handler(router: APIRouter) -> Any:
    """Return a Lambda handler for the same routes behind this middleware."""
    limiter = RateLimiter(per_minute=10_000_000, per_hour=100_000_000, name="peer")
    stack = [Middleware(Context), Middleware(Errors), Middleware(Validation), Middleware(Limits, limiter=limiter)]
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, middleware=stack)
    install_handlers(app)
    app.include_router(router)
    http = Mangum(app, lifespan="off")

    def handler(event: dict[str, Any], context: Any) -> Any:
        try:
            return http(event, context)
        finally:
            flush()

    return handler
