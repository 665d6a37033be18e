"""HTTP requests in Lambda events: HTTP APIs (payload 1.0 and 2.0), function URLs, REST APIs and load balancers.

Mangum distinguishes them and builds the responses. This module reads what Mangum would read wrongly or fail on. Sources
differ in the path: only HTTP APIs decode it, and it may start with a named stage or a custom domain's base path. Routes
see the application's path only, so nothing has to be configured.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlencode

from mangum.handlers import ALB, APIGateway, HTTPGateway
from mangum.types import LambdaConfig, LambdaContext, LambdaEvent, LambdaHandler, Scope

_VARIABLE = re.compile(r"\{([^}+]+)\+?\}")
_PORT = re.compile(r"\d{1,5}")
_HOST = re.compile(r"(?P<name>.*?)(?::(?P<port>\d{1,5}))?")
_FUNCTION_URL = ".lambda-url."


def is_http(event: object) -> bool:
    """Whether this is a request that we can answer."""
    if not isinstance(event, dict) or not isinstance(context := event.get("requestContext"), dict):
        return False
    if event.get("version") == "2.0":
        http = context.get("http")
        return isinstance(http, dict) and isinstance(http.get("method"), str) and isinstance(_raw_path(event), str)
    known = "elb" in context or "version" in event or "resource" in event
    return known and isinstance(event.get("httpMethod"), str) and isinstance(event.get("path"), str)


def is_let_in(event: LambdaEvent) -> bool:
    """Whether a request came through CloudFront, if CloudFront is in front (`ORIGIN_SECRET_HASH`).

    Events that come from no gateway, but from someone who may invoke the function, are accepted.
    """
    named = event["requestContext"].get("domainName")
    return not os.environ.get("ORIGIN_SECRET_HASH") or not named or _is_fronted(_by_name(event))


def _is_fronted(headers: dict[str, str]) -> bool:
    expected, shown = os.environ.get("ORIGIN_SECRET_HASH"), headers.get("x-origin-secret")
    if not expected or not shown:
        return False
    return hmac.compare_digest(hashlib.sha256(shown.encode("utf-8", "replace")).hexdigest(), expected)


class _ReadHere:
    """Precedes one of Mangum's handlers in the bases: uses its responses, but reads the request as below."""

    def __init__(self, event: LambdaEvent, context: LambdaContext, config: LambdaConfig) -> None:
        self.event, self.context, self.config = event, context, config
        self._scope = _scope(event, context)

    @property
    def scope(self) -> Scope:
        """The ASGI scope of the request."""
        return self._scope


class _LoadBalancer(_ReadHere, ALB): ...


class _HttpApi(_ReadHere, HTTPGateway): ...


class _RestApi(_ReadHere, APIGateway): ...


HANDLERS: list[type[LambdaHandler]] = [_LoadBalancer, _HttpApi, _RestApi]
"""Mangum's handlers, for events that are `is_http`."""


def _scope(event: LambdaEvent, context: LambdaContext) -> Scope:
    headers, by_name = _headers(event), _by_name(event)
    http = event["requestContext"].get("http") or {}
    query = event.get("rawQueryString") or "" if http else _query(event)
    return {
        "type": "http",
        "http_version": "1.1",
        "method": http.get("method") or event["httpMethod"],
        "headers": [[name.encode("latin-1", "replace"), value.encode("utf-8", "replace")] for name, value in headers],
        "path": _path(event),
        "raw_path": None,
        "root_path": "",
        "scheme": "http" if by_name.get("x-forwarded-proto", "").split(",")[0].strip() == "http" else "https",
        "query_string": query.encode("utf-8", "replace"),
        "server": _server(by_name),
        "client": (_address(event, by_name), 0),
        "asgi": {"version": "3.0", "spec_version": "2.0"},
        "aws.event": event,
        "aws.context": context,
    }


def _headers(event: LambdaEvent) -> list[tuple[str, str]]:
    return [(name.lower(), str(value)) for name, value in _sent(event)]


def _by_name(event: LambdaEvent) -> dict[str, str]:
    return dict(_headers(event))


def _sent(event: LambdaEvent) -> Iterator[tuple[str, Any]]:
    if event.get("multiValueHeaders"):
        yield from ((name, value) for name, values in event["multiValueHeaders"].items() for value in values or ())
    else:
        yield from (event.get("headers") or {}).items()
    if event.get("cookies"):
        yield "cookie", "; ".join(event["cookies"])


def _query(event: LambdaEvent) -> str:
    pairs = event.get("multiValueQueryStringParameters") or event.get("queryStringParameters") or {}
    if "elb" not in event["requestContext"]:
        return urlencode(pairs, doseq=True)
    # Load balancers do not decode names and values.
    listed = ((name, value if isinstance(value, list) else [value]) for name, value in pairs.items())
    return "&".join(f"{name}={value}" for name, values in listed for value in values)


def _address(event: LambdaEvent, headers: dict[str, str]) -> str | None:
    """Return the address of the connection; headers set by the client do not count."""
    if _is_fronted(headers):
        return headers.get("x-viewer-address")  # set by CloudFront, replacing what the caller sent
    context = event["requestContext"]
    if "elb" in context:  # appended to what the client sent
        return headers.get("x-forwarded-for", "").rpartition(",")[2].strip() or None
    address: str | None = (context.get("http") or context.get("identity") or {}).get("sourceIp")
    return address


def _server(headers: dict[str, str]) -> tuple[str, int]:
    found = _HOST.fullmatch(headers.get("host", ""))
    name, port = (found["name"], found["port"]) if found else ("", None)
    forwarded = _PORT.search(headers.get("x-forwarded-port", ""))  # several proxies may have added theirs
    return name, int(port or (forwarded[0] if forwarded else 443))


def _raw_path(event: LambdaEvent) -> Any:
    return event.get("rawPath") or event["requestContext"]["http"].get("path")


def _path(event: LambdaEvent) -> str:
    """Return the path below the stage and the base path, decoded once."""
    context = event["requestContext"]
    raw: str = _raw_path(event) if event.get("version") == "2.0" else event["path"]
    # Only HTTP APIs have a version and decode; function URLs have one too, but do not decode.
    decoded = "version" in event and _FUNCTION_URL not in str(context.get("domainName"))
    path = (raw if decoded else unquote(raw)) or "/"
    ours = _routed(event)
    for end in (ours, unquote(ours)):
        if len(end) > 1 and path.rstrip("/").endswith(end):
            return path[len(path.rstrip("/")) - len(end) :]
    for prefix in (str(context.get("stage") or ""), os.environ.get("API_BASE_PATH", "")):
        before = f"/{prefix.strip('/')}"
        if len(before) > 1 and (path == before or path.startswith(f"{before}/")):
            return path[len(before) :] or "/"
    return path


def _routed(event: LambdaEvent) -> str:
    """Return the path from the route's own parameters, without a trailing slash; empty if the event has none."""
    route = str(event.get("routeKey") or "").partition(" ")[2] or str(event.get("resource") or "")
    variables = event.get("pathParameters") or {}
    return _VARIABLE.sub(lambda found: str(variables.get(found[1], "")), route).rstrip("/")
