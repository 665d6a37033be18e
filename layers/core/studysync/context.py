"""The context of the current request and invocation, for code that does not receive it as an argument."""

from __future__ import annotations

import os
import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

from starlette.types import Scope

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_XRAY = re.compile(r"Root=1-([0-9a-f]{8})-([0-9a-f]{24});(?:.*;)?Parent=([0-9a-f]{16});(?:.*;)?Sampled=([01])")


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation of the function.

    Attributes:
        start: ``cold``, the first of a new process; ``restored``, the first of a copy of a snapshot; ``warm``, any
            other.
        aws_request_id: the id in Lambda's REPORT line; empty outside Lambda.
        gateway_request_id: the request's id in the access log; empty if there is none.
        traceparent: the X-Ray trace that it belongs to, in W3C format, or ``None``.
    """

    start: str
    aws_request_id: str
    gateway_request_id: str
    traceparent: str | None


@dataclass(slots=True)
class RequestContext:
    """A request.

    Attributes:
        request_id: the client's own if it sent a valid one, else the gateway's, else generated here.
        method, path: as received; `path` never includes the query.
        address: the address of the connection; ``None`` if the server does not report it.
        user_agent: the client's User-Agent, or ``None``.
        traceparent: the client's trace (W3C), else that of X-Ray, propagated to dependencies; ``None`` without one.
        trace_id: that trace's id.
        user_id: the caller, once the token is verified; ``None`` before, and for anonymous calls.
        route: the template of the requested route, set with `user_id`.
        session_id: the study session that it changed, or ``None``.
        started: on `time.perf_counter`'s clock, in seconds.
    """

    request_id: str
    method: str
    path: str
    address: str | None = None
    user_agent: str | None = None
    traceparent: str | None = None
    trace_id: str | None = None
    user_id: str | None = None
    route: str = ""
    session_id: str | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def has_ip_address(self) -> bool:
        """Whether `address` is one of IP, and not the name of a socket."""
        try:
            return bool(ip_address(self.address or ""))
        except ValueError:
            return False

    @property
    def duration_seconds(self) -> float:
        """Seconds since the request arrived."""
        return time.perf_counter() - self.started


_current: ContextVar[RequestContext | None] = ContextVar("studysync_request", default=None)
_invocation: ContextVar[Invocation | None] = ContextVar("studysync_invocation", default=None)
_next_start = "cold"


def mark_restored() -> None:
    """Mark the next invocation as the first of a copy of a snapshot."""
    global _next_start  # noqa: PLW0603 - one for the process
    _next_start = "restored"


def begin_invocation(event: object, lambda_context: Any) -> Invocation:
    """Create the context of an invocation from Lambda's event and context, which may have any shape."""
    global _next_start  # noqa: PLW0603
    details = event.get("requestContext") if isinstance(event, dict) else None
    gateway = details.get("requestId") if isinstance(details, dict) else None
    trace = _XRAY.match(os.environ.get("_X_AMZN_TRACE_ID", ""))
    invocation = Invocation(
        start=_next_start,
        aws_request_id=str(getattr(lambda_context, "aws_request_id", "")),
        gateway_request_id=gateway if isinstance(gateway, str) and _SANE_REQUEST_ID.fullmatch(gateway) else "",
        traceparent=f"00-{trace[1]}{trace[2]}-{trace[3]}-0{trace[4]}" if trace else None,
    )
    _next_start = "warm"
    _invocation.set(invocation)
    return invocation


def end_invocation() -> None:
    """Clear the current invocation."""
    _invocation.set(None)


def invocation() -> Invocation | None:
    """Return the current invocation; ``None`` outside Lambda's handlers."""
    return _invocation.get()


def traceparent() -> str | None:
    """Return the trace for outgoing calls, or ``None``."""
    found = _current.get() or _invocation.get()
    return found.traceparent if found else None


def request_context() -> RequestContext | None:
    """Return the current request; ``None`` outside one (schedules, imports)."""
    return _current.get()


def begin_request(scope: Scope, request_id: str | None, traceparent: str | None = None) -> RequestContext:
    """Create the context of an ASGI request, from the client's ``X-Request-Id`` and ``traceparent`` if it sent any."""
    sane = request_id is not None and _SANE_REQUEST_ID.fullmatch(request_id)
    client, invoked = scope.get("client"), _invocation.get()
    if traceparent is None or not _TRACEPARENT.fullmatch(traceparent):
        traceparent = invoked.traceparent if invoked else None
    gateways = invoked.gateway_request_id if invoked else ""
    context = RequestContext(
        request_id if request_id and sane else gateways or str(uuid.uuid4()),
        scope["method"],
        scope["path"],
        address=client[0] if client else None,
        traceparent=traceparent,
        trace_id=traceparent.split("-")[1] if traceparent else None,
    )
    _current.set(context)
    return context


def current_caller() -> str | None:
    """Return who sent the current request: the user, else the address (IPv6: its /64); ``None`` outside one."""
    context = _current.get()
    if context is None:
        return None
    if context.user_id is not None:
        return f"user:{context.user_id}"
    return f"address:{_network(context.address)}"


def _network(address: str | None) -> str:
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    return str(found if found.version == 4 else ip_network((found, 64), strict=False))  # noqa: PLR2004


def route_template(scope: Scope) -> str:
    """Return the template of the matched route, ``/api/users/{user_id}``; a fixed word if none matched.

    Logs and metrics use it, so that names contain no ids and their number is bounded.
    """
    route = scope.get("route")
    return getattr(route, "path", None) or "(no route)"
