"""Returns all errors in one format, whoever raised them; details of unexpected errors are only logged."""

from __future__ import annotations

import json
import traceback
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resilience import RateLimitedError, ResilienceError
from studysync.auth.denials import record_denial
from studysync.context import request_context
from studysync.errors import (
    HTTP_ERRORS,
    INTERNAL_ERROR,
    INVALID_JSON,
    METHOD_NOT_ALLOWED,
    RATE_LIMIT_EXCEEDED,
    ApiError,
    ErrorKind,
    invalid_request,
    problem,
    unavailable,
)
from studysync.telemetry.logging import app_logger
from studysync.web.response_size import check_response_size


def to_api_error(error: Exception) -> ApiError:
    """Return the client's error for `error`."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, RequestValidationError):
        found = error.errors()
        unreadable = found[0]["type"] == "json_invalid"  # never together with others
        return ApiError(INVALID_JSON, _HTTP_MESSAGES[400]) if unreadable else invalid_request(found, len(found))
    if isinstance(error, HTTPException):
        kind = HTTP_ERRORS.get(error.status_code, ErrorKind(error.status_code, "HTTP_ERROR"))
        return ApiError(kind, _HTTP_MESSAGES.get(error.status_code, str(error.detail)), headers=error.headers)
    if isinstance(error, RateLimitedError):
        return ApiError(RATE_LIMIT_EXCEEDED, "Too many requests.", headers=error.decision.headers())
    if isinstance(error, ResilienceError):
        return unavailable(retry_after=getattr(error, "retry_after", 1.0))
    return ApiError(INTERNAL_ERROR, "Something went wrong on our side.")


_HTTP_MESSAGES = {
    400: "The request body could not be read.",
    404: "This path does not exist.",
    405: "Method not allowed.",
}


def error_response(error: ApiError, path: str) -> Response:
    """Return the response for `error`."""
    context = request_context()
    body = problem(error, instance=path, request_id=context.request_id if context else "")
    # A lone surrogate, as a field name from a client may contain, is escaped as in JSON.
    written = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(
        written.encode("utf-8", "backslashreplace"),
        status_code=error.kind.status,
        headers=error.headers,
        media_type="application/problem+json",
    )


async def _respond(request: Request, error: Exception) -> Response:
    answer = to_api_error(error)
    if answer.kind is METHOD_NOT_ALLOWED:
        answer.headers["Allow"] = ", ".join(sorted(_methods_of_path(request)))
    await record_denial(request, answer)
    return error_response(answer, request.scope["path"])


def _methods_of_path(request: Request) -> set[str]:
    # Starlette lists only the first route's methods, and a path may have one route per method.
    fitting = (route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE)
    methods = {method for route in fitting for method in getattr(route, "methods", None) or ()}
    return methods | ({"HEAD"} if "GET" in methods else set())


Handler = Callable[[Request, Exception], Awaitable[Response]]


def install_handlers(app: FastAPI) -> None:
    """Handle exceptions that routes raise on purpose; the middleware handles all others."""
    for kind in (ApiError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _respond)


class ErrorHandlerMiddleware:
    """Turns every exception into an error of the contract.

    Args:
        app: the inner ASGI application.
        include_traceback: include the traceback in the ``details`` of a 500; for development only.
    """

    def __init__(self, app: ASGIApp, *, include_traceback: bool = False) -> None:
        self.app = app
        self.include_traceback = include_traceback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = False
        head: Message | None = None

        async def send_checked(message: Message) -> None:
            """Hold the response's start back until its size is checked, so that it can still become an error."""
            nonlocal begun, head
            if message["type"] == "http.response.start":
                head = message
                return
            if head is not None:
                check_response_size(message.get("body", b""))
                begun = True
                await send(head)
                head = None
            await send(message)

        try:
            await self.app(scope, receive, send_checked)
        except Exception as error:
            answer = to_api_error(error)
            if answer.kind is INTERNAL_ERROR and not isinstance(error, ApiError):
                app_logger.exception("unhandled error", kind="error", error_type=type(error).__name__)
            elif isinstance(error, ResilienceError):
                app_logger.warning("rejected by a resilience policy", kind="error", error_type=type(error).__name__)
            if begun:
                raise
            if self.include_traceback and answer.kind is INTERNAL_ERROR:
                answer.details = {"traceback": traceback.format_exc().splitlines()}
            await error_response(answer, scope["path"])(scope, receive, send)
