"""The outermost middleware: the request's id, its deadline, the headers of every response, and one log line.

A trailing slash is ignored: `/health/` is `/health`. So is an empty query parameter: `?cursor=` is none. HEAD is a GET
without the response body.
"""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resilience import Degradation, clear_deadline, performance_monitor, set_deadline, track_degradation
from studysync.context import RequestContext, begin_request, route_template
from studysync.telemetry.logging import app_logger
from studysync.telemetry.metrics import count_request
from studysync.telemetry.tracing import Span, trace_request

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

# Reserved from the invocation's time for reporting that it was not enough.
ANSWER_SECONDS = 0.3

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""Set unless the route set its own (a page needs another policy than JSON)."""
_SECURITY_FIELDS = [(name.lower().encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


class RequestContextMiddleware:
    """Adds the request's id and the headers of every response, and logs the request when it is done."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        if path.endswith("/") and path != "/":
            scope = {**scope, "path": path[:-1]}  # the same resource, without registering every route twice
        if scope["query_string"]:
            scope = {**scope, "query_string": _without_empty(scope["query_string"])}
        headers, head = Headers(scope=scope), scope["method"] == "HEAD"
        context = begin_request(scope, headers.get("x-request-id"), headers.get("traceparent"))
        context.user_agent = headers.get("user-agent")
        if head:
            scope = {**scope, "method": "GET"}
        app_logger.sample()
        status = 500

        with track_degradation() as served, trace_request() as span:

            async def send_with_headers(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    _add_headers(MutableHeaders(scope=message), context, served)
                elif head:
                    message = {**message, "body": b""}
                await send(message)

            deadline = set_deadline(_seconds_left(scope))
            try:
                await self.app(scope, receive, send_with_headers)
            finally:
                clear_deadline(deadline)
                _report(context, route_template(scope), status, span)


def _without_empty(query: bytes) -> bytes:
    # Clients that always name their parameters leave them empty.
    return b"&".join(pair for pair in query.split(b"&") if pair.partition(b"=")[2])


def _seconds_left(scope: Scope) -> float:
    lambda_context = scope.get("aws.context")
    if lambda_context is None:
        return 30.0  # outside Lambda: as long as API Gateway waits
    milliseconds: int = lambda_context.get_remaining_time_in_millis()
    return max(0.1, milliseconds / 1000 - ANSWER_SECONDS)


def _add_headers(headers: MutableHeaders, context: RequestContext, served: Degradation) -> None:
    headers["X-Request-Id"] = context.request_id
    present = {name for name, _ in headers.raw}
    headers.raw.extend(field for field in _SECURITY_FIELDS if field[0] not in present)
    if served.fallbacks:
        headers["X-Degraded"] = ", ".join(served.fallbacks)
    if served.stale:
        headers["Age"] = str(int(served.age or 0))
        headers["X-Cache"] = "stale"


def _report(context: RequestContext, route: str, status: int, span: Span) -> None:
    duration, error = context.duration_seconds, status >= 500  # noqa: PLR2004
    # A client may invent methods: the number of metrics is limited, and logs contain no text from clients.
    method = context.method if context.method in _METHODS else "OTHER"
    performance_monitor.record(f"{method} {route}", duration, error=error, detail=context.request_id)
    count_request(route, duration, error=error)
    span.end(f"{method} {route}", status)
    changed = {"session_id": context.session_id} if context.session_id else {}
    app_logger.log_request(method=method, path=route, status_code=status, duration=duration, **changed)
