"""Creates the FastAPI apps of StudySync."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from resilience import prepare
from studysync.settings import Settings
from studysync.telemetry.metrics import observe
from studysync.web.middleware import (
    CompressionMiddleware,
    ErrorHandlerMiddleware,
    RateLimitMiddleware,
    RequestContextMiddleware,
    RequestValidationMiddleware,
    SwitchesMiddleware,
)
from studysync.web.middleware.error_handler import install_handlers
from studysync.web.routing import LazyRoutes


def create_app(title: str, routers: Sequence[APIRouter], *lazy: LazyRoutes) -> FastAPI:
    """Return an app with the middleware, the error handlers, `routers`, and last the routes of `lazy`."""
    settings = Settings.from_environment({**os.environ, "SUPABASE_SECRET_NAME": ""})  # built without the secret
    prepare()  # create boto3's client once per process, outside of any request
    observe()
    app = FastAPI(
        title=title,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={
            "tracing": False,
            "metrics": False,
            "logs": False,
        },  # we have studysync.telemetry
        # Not include_router: it would build every route a second time, and match every request twice.
        routes=[*(route for router in routers for route in router.routes), *lazy],
        middleware=[
            Middleware(RequestContextMiddleware),
            Middleware(CompressionMiddleware),
            Middleware(ErrorHandlerMiddleware),
            Middleware(RequestValidationMiddleware, max_request_size=settings.max_request_bytes),
            Middleware(SwitchesMiddleware),
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
