"""What makes a FastAPI app one of StudySync's, and an app a Lambda handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from starlette.middleware import Middleware

from studysync.envelope import ProblemDetails
from studysync.middleware import ErrorHandlerMiddleware, RequestContextMiddleware, RequestValidationMiddleware
from studysync.middleware.error_handler import install_handlers
from studysync.settings import get_settings

Schedule = Callable[[], Awaitable[Any]]
Handler = Callable[[dict[str, Any], Any], Any]

PROBLEM: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "An error, in the one shape that all errors have.",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}},
    }
}


def create_app(title: str, routers: Sequence[APIRouter]) -> FastAPI:
    """Return an app with the middleware, the errors and `routers`."""
    app = FastAPI(
        title=title,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=PROBLEM,
        middleware=[
            Middleware(RequestContextMiddleware),
            Middleware(ErrorHandlerMiddleware),
            Middleware(RequestValidationMiddleware, max_request_size=get_settings().max_request_bytes),
        ],
    )
    install_handlers(app)
    for router in routers:
        app.include_router(router)
    return app


def create_handler(app: FastAPI, schedules: Mapping[str, Schedule] | None = None) -> Handler:
    """Return the Lambda handler for `app`.

    Args:
        app: answers API Gateway's events.
        schedules: by name, what to run for the event ``{"schedule": name}`` of EventBridge Scheduler. An exception of
            one fails the invocation, so that it is tried again and counted.
    """
    # One loop for the life of the process: connections belong to the loop that opened them.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    http = Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"])

    def handler(event: dict[str, Any], context: Any) -> Any:
        if schedules and "schedule" in event:
            return loop.run_until_complete(_awaited(schedules[event["schedule"]]))
        return http(event, context)

    return handler


async def _awaited(run: Schedule) -> Any:
    return await run()


__all__ = ["PROBLEM", "ProblemDetails", "create_app", "create_handler"]
