"""What is known of the request at hand, for whoever logs or answers without having it as an argument."""

from __future__ import annotations

import re
import time
import uuid
from contextvars import ContextVar
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network

from starlette.types import Scope

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


@dataclass(slots=True)
class RequestContext:
    """One request.

    Attributes:
        request_id: the client's own when it sent a sane one, else made here.
        method, path: as received; `path` never holds the query.
        address: where the connection comes from; ``None`` when the server does not say.
        trace_id: the client's trace, from ``traceparent`` (W3C); ``None``: it sent none.
        user_id: the caller, once the token is verified; ``None`` before, and for anonymous calls.
        route: the template of the route that the caller has asked, set with `user_id`.
        started: on `time.perf_counter`'s clock, in seconds.
    """

    request_id: str
    method: str
    path: str
    address: str | None = None
    trace_id: str | None = None
    user_id: str | None = None
    route: str = ""
    started: float = field(default_factory=time.perf_counter)

    @property
    def duration_seconds(self) -> float:
        """Seconds since the request came in."""
        return time.perf_counter() - self.started


_current: ContextVar[RequestContext | None] = ContextVar("studysync_request", default=None)


def request_context() -> RequestContext | None:
    """Return the request at hand; ``None`` outside one (schedules, imports)."""
    return _current.get()


def begin_request(scope: Scope, request_id: str | None, traceparent: str | None = None) -> RequestContext:
    """Make the context of an ASGI request, with the ``X-Request-Id`` and ``traceparent`` that the client sent."""
    sane = request_id is not None and _SANE_REQUEST_ID.fullmatch(request_id)
    client, trace = scope.get("client"), _TRACEPARENT.fullmatch(traceparent) if traceparent else None
    context = RequestContext(
        request_id if request_id and sane else str(uuid.uuid4()),
        scope["method"],
        scope["path"],
        client[0] if client else None,
        trace[1] if trace else None,
    )
    _current.set(context)
    return context


def current_caller() -> str | None:
    """Name who the request at hand belongs to: the user, else the address (of IPv6 the /64); ``None`` outside one."""
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
    """Return the path of the matched route, ``/api/users/{user_id}``; a fixed word where none matched.

    Names in logs and metrics come from here, so that they hold no ids and their number is bounded.
    """
    route = scope.get("route")
    return getattr(route, "path", None) or "(no route)"
