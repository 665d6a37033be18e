"""An ASGI app as a Lambda handler, with the schedules that the same function runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from mangum.types import ASGI

from resilience import flush, settle
from studysync.aws import cold_start, snapstart
from studysync.aws.http_events import HANDLERS, is_http, is_let_in
from studysync.context import begin_invocation, end_invocation
from studysync.errors import forbidden, problem
from studysync.secret_cache import is_due
from studysync.telemetry.logging import app_logger
from studysync.telemetry.metrics import publish

# A healthy table answers in less. While one hangs, clients must not wait for figures to be written: what is under way
# goes on in the next invocation. With the 200 ms of readiness it stays below the 300 that load balancers are promised.
_FLUSH_SECONDS = 0.08
_REFUSED = {
    "statusCode": 403,
    "headers": {"content-type": "application/problem+json"},
    "body": json.dumps(problem(forbidden("Call the public address."), instance="/", request_id="")),
}
Schedule = Callable[[], Awaitable[Any]]
Handler = Callable[[Any, Any], Any]


def create_handler(app: ASGI, schedules: Mapping[str, Schedule] | None = None) -> Handler:
    """Return the Lambda handler for `app`.

    Args:
        app: answers requests, from wherever (`studysync.aws.http_events`).
        schedules: by name, what to run for the event ``{"schedule": name}`` of EventBridge Scheduler. An exception of
            one fails the invocation, so that it is tried again and counted.

    Every other event, such as one that only keeps the function warm, is logged and answered with ``None``: it would not
    be another one if it was tried again.
    """
    runtime: _Runtime | None = None

    def handler(event: Any, context: Any) -> Any:
        nonlocal runtime
        runtime = runtime or _Runtime(app)
        begin_invocation(event, context)
        if is_due():
            snapstart.renew()
        try:
            if is_http(event):
                return runtime.http(event, context) if is_let_in(event) else _REFUSED
            scheduled = _scheduled(event, schedules or {})
            return runtime.loop.run_until_complete(_awaited(scheduled)) if scheduled else _log_ignored(event)
        finally:
            settle(runtime.loop)  # refreshes behind answers from the cache
            publish()
            flush(_FLUSH_SECONDS)  # Lambda freezes what is still under way when the handler returns
            end_invocation()

    snapstart.install(handler)
    cold_start.finish()
    return handler


class _Runtime:
    """One event loop for the life of the process: connections belong to the loop that opened them."""

    def __init__(self, app: ASGI) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # where Mangum looks
        self.http = Mangum(
            app,
            lifespan="off",
            custom_handlers=HANDLERS,
            text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"],
        )


def _scheduled(event: object, schedules: Mapping[str, Schedule]) -> Schedule | None:
    name = event.get("schedule") if isinstance(event, dict) else None
    return schedules.get(name) if isinstance(name, str) else None


def _log_ignored(event: object) -> None:
    """Log the names in an event that is not for us; its values may be anything."""
    names = sorted(str(name)[:40] for name in event)[:20] if isinstance(event, dict) else [type(event).__name__]
    app_logger.warning("ignored an event that is no request and no schedule", kind="event", event_fields=names)


async def _awaited(run: Schedule) -> Any:
    return await run()
