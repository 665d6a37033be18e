"""Wraps an ASGI app as a Lambda handler that also runs the function's schedules."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from mangum import Mangum
from mangum.adapter import DEFAULT_TEXT_MIME_TYPES
from starlette.applications import Starlette

from resilience import flush, settle
from studysync.aws import cold_start, snapstart, switches
from studysync.aws.http_events import HANDLERS, is_http, is_let_in
from studysync.context import begin_invocation, end_invocation
from studysync.errors import forbidden, problem
from studysync.secret_cache import is_due
from studysync.telemetry.logging import app_logger
from studysync.telemetry.metrics import publish
from studysync.telemetry.tracing import trace_handler, trace_request

# A healthy table answers faster. While one hangs, clients must not wait for metrics to be written: pending writes
# continue in the next invocation. Together with readiness's 200 ms this stays below the 300 ms promised to load
# balancers.
_FLUSH_SECONDS = 0.08
_REFUSED = {
    "statusCode": 403,
    "headers": {"content-type": "application/problem+json"},
    "body": json.dumps(problem(forbidden("Use the public address of the API."), instance="/", request_id="")),
}
Schedule = Callable[[], Awaitable[Any]]
Handler = Callable[[Any, Any], Any]


def create_handler(
    app: Starlette, schedules: Mapping[str, Schedule] | None = None, *, in_read_only: Collection[str] = ()
) -> Handler:
    """Return the Lambda handler for `app`.

    Args:
        app: answers requests from any source (`studysync.aws.http_events`).
        schedules: maps a name to what runs for the event ``{"schedule": name}`` of EventBridge Scheduler. An exception
            fails the invocation, so that it is retried and counted.
        in_read_only: the schedules that also run in read-only mode (`studysync.aws.switches`).

    Any other event, such as one that keeps the function warm, is logged and answered with ``None``: retrying would not
    change it.
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
            name = _scheduled(event, schedules or {})
            if name is None:
                return _log_ignored(event)
            return runtime.loop.run_until_complete(_run((schedules or {})[name], name, writes=name not in in_read_only))
        finally:
            settle(runtime.loop)  # refreshes that started behind stale answers
            publish()
            flush(_FLUSH_SECONDS)  # Lambda freezes whatever is still running when the handler returns
            end_invocation()

    # Untraced, so that the first invocation of a copy is the Tracer's cold start.
    snapstart.install(handler, app.routes)
    cold_start.finish()
    return trace_handler(handler)


class _Runtime:
    """One event loop for the life of the process, because connections belong to the loop that opened them."""

    def __init__(self, app: Starlette) -> None:
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)  # where Mangum looks for it
        self.http = Mangum(
            app,
            lifespan="off",
            custom_handlers=HANDLERS,
            text_mime_types=[*DEFAULT_TEXT_MIME_TYPES, "application/problem+json"],
        )


def _scheduled(event: object, schedules: Mapping[str, Schedule]) -> str | None:
    name = event.get("schedule") if isinstance(event, dict) else None
    return name if isinstance(name, str) and name in schedules else None


def _log_ignored(event: object) -> None:
    """Log the keys of an event that we do not handle; its values could be anything."""
    names = sorted(str(name)[:40] for name in event)[:20] if isinstance(event, dict) else [type(event).__name__]
    app_logger.warning("ignored an event that is neither a request nor a schedule", kind="event", event_fields=names)


async def _run(schedule: Schedule, name: str, *, writes: bool) -> Any:
    await switches.load()
    if writes and switches.flag("read_only", deployed=False):
        app_logger.info("a schedule was skipped: StudySync is read-only", kind="event", schedule=name)
        return None
    status = 500
    with trace_request() as span:
        try:
            result = await schedule()
            status = 200
        finally:
            span.end(name, status)
    return result
