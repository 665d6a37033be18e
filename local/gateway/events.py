"""Converts requests to events of payload format 2.0."""

import base64
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from local.gateway.routing import Match

_TEXT_TYPES = {"application/json", "application/javascript", "application/xml", "application/graphql"}


@dataclass(frozen=True)
class HttpRequest:
    """A request as received; `path` and `query` are still percent-encoded, header names in lower case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    client: str
    port: int
    protocol: str = "HTTP/1.1"


def new_request_id() -> str:
    """Return an id in API Gateway's format."""
    return base64.b64encode(os.urandom(11)).decode()


def new_trace_id() -> str:
    """Return the root of an X-Ray trace."""
    return f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)}"


def build_event(request: HttpRequest, match: Match, *, request_id: str, trace_id: str) -> dict[str, Any]:
    """Return the event that a function receives for a request."""
    headers, cookies = _headers(request, trace_id)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": match.route.key,
        # Unlike REST APIs and function URLs, HTTP APIs decode the path; it includes a named stage or base path.
        "rawPath": unquote(request.path),
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": _context(request, match, headers, request_id),
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _joined(parse_qsl(request.query, keep_blank_values=True))
    if match.parameters:
        event["pathParameters"] = match.parameters
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(request.body, headers.get("content-type", ""))
    return event


def _headers(request: HttpRequest, trace_id: str) -> tuple[dict[str, str], list[str]]:
    cookies = [
        cookie.strip() for name, value in request.headers if name == "cookie" for cookie in value.split(";") if cookie
    ]
    headers = _joined((name, value) for name, value in request.headers if name != "cookie")
    passed_on = headers.get("x-forwarded-for")
    headers["x-forwarded-for"] = f"{passed_on}, {request.client}" if passed_on else request.client
    headers["x-forwarded-port"] = str(request.port)
    headers["x-forwarded-proto"] = "http"
    headers["x-amzn-trace-id"] = trace_id
    headers.setdefault("content-length", str(len(request.body)))
    return headers, cookies


def _context(request: HttpRequest, match: Match, headers: Mapping[str, str], request_id: str) -> dict[str, Any]:
    now = time.time()
    domain = headers.get("host", "localhost")
    return {
        "accountId": "anonymous",
        "apiId": "local",
        "domainName": domain,
        "domainPrefix": domain.split(".")[0],
        "http": {
            "method": request.method,
            "path": unquote(request.path),
            "protocol": request.protocol,
            "sourceIp": request.client,
            "userAgent": headers.get("user-agent", ""),
        },
        "requestId": request_id,
        "routeKey": match.route.key,
        "stage": match.stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
        "timeEpoch": int(now * 1000),
    }


def _joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Merge repeated names, joining their values with commas."""
    joined: dict[str, str] = {}
    for name, value in pairs:
        joined[name] = f"{joined[name]},{value}" if name in joined else value
    return joined


def _body(body: bytes, content_type: str) -> tuple[str, bool]:
    if _is_text(content_type.partition(";")[0].strip().lower()):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


def _is_text(media_type: str) -> bool:
    return media_type.startswith("text/") or media_type in _TEXT_TYPES or media_type.endswith(("+json", "+xml"))
