"""What makes a FastAPI app one of StudySync's, and an app a Lambda handler."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from starlette.middleware import Middleware

from resilience import flush, prepare, settle
from studysync import snapshot, startup
from studysync.middleware import (
    ErrorHandlerMiddleware,
    RateLimitMiddleware,
    RequestContextMiddleware,
    RequestValidationMiddleware,
)
from studysync.middleware.error_handler import install_handlers
from studysync.observability import observe, publish
from studysync.routing import LateRoutes
from studysync.settings import get_settings

# A healthy table answers in less. While one hangs, clients must not wait for figures to be written: what is under way
# goes on in the next invocation. With the 200 ms of readiness it stays below the 300 that load balancers are promised.
_FLUSH_SECONDS = 0.08
Schedule = Callable[[], Awaitable[Any]]
Handler = Callable[[dict[str, Any], Any], Any]


def create_app(title: str, routers: Sequence[APIRouter], *late: LateRoutes) -> FastAPI:
    """Return an app with the middleware, the errors, `routers`, and after them what loads `late`."""
    settings = get_settings()
    prepare()  # boto3's client is made once a process, and by no request
    observe()
    app = FastAPI(
        title=title,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # ours: studysync.tracing and .observability
        # Not include_router: it would build every route a second time, and match every request twice.
        routes=[*(route for router in routers for route in router.routes), *late],
        middleware=[
            Middleware(RequestContextMiddleware),
            Middleware(ErrorHandlerMiddleware),
            Middleware(RequestValidationMiddleware, max_request_size=settings.max_request_bytes),
            Middleware(
                RateLimitMiddleware,
                requests_per_minute=settings.rate_limit_per_minute,
                requests_per_hour=settings.rate_limit_per_hour,
                address_factor=settings.rate_limit_address_factor,
            ),
        ],
    )
    install_handlers(app)
    return app


def create_handler(app: FastAPI, schedules: Mapping[str, Schedule] | None = None) -> Handler:
    """Return the Lambda handler for `app`.

    Args:
        app: answers API Gateway's events.
        schedules: by name, what to run for the event ``{"schedule": name}`` of EventBridge Scheduler. An exception of
            one fails the invocation, so that it is tried again and counted.
    """
    runtime: _Runtime | None = None

    def handler(event: dict[str, Any], context: Any) -> Any:
        nonlocal runtime
        runtime = runtime or _Runtime(app)
        try:
            if schedules and "schedule" in event:
                return runtime.loop.run_until_complete(_awaited(schedules[event["schedule"]]))
            return runtime.http(event, context)
        finally:
            settle(runtime.loop)  # refreshes behind answers from the cache
            publish()
            flush(_FLUSH_SECONDS)  # Lambda freezes what is still under way when the handler returns

    snapshot.install(handler)
    startup.finish()
    return handler


class _Runtime:
    """One event loop for the life of the process: connections belong to the loop that opened them."""

    def __init__(self, app: FastAPI) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # where Mangum looks
        self.http = Mangum(app, lifespan="off", text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"])


async def _awaited(run: Schedule) -> Any:
    return await run()
