"""Converts a function's result to an HTTP response as API Gateway does."""

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import Any

from local.web_pages import REFUSAL

# Headers of a single connection are up to the server.
_DROPPED = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}
_LOWEST_STATUS, _HIGHEST_STATUS = 100, 599


@dataclass(frozen=True)
class HttpResponse:
    """A response to be sent; header names in lower case."""

    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


def message(status: int, text: str) -> HttpResponse:
    """A response of the gateway itself."""
    body = json.dumps({"message": text}, separators=(",", ":")).encode()
    return HttpResponse(status, body, [("content-type", "application/json")])


FORBIDDEN = HttpResponse(403, REFUSAL, [("content-type", "application/json")])
NOT_FOUND = message(404, "Not Found")
TOO_LARGE = message(413, "Request Entity Too Large")
INTERNAL_ERROR = message(500, "Internal Server Error")
UNAVAILABLE = message(503, "Service Unavailable")


def convert(payload: bytes) -> HttpResponse:
    """Return the response for a function's result; INTERNAL_ERROR if the result is not a valid response."""
    try:
        result = json.loads(payload)
        if isinstance(result, dict) and "statusCode" in result:
            return _structured(result)
    except (ValueError, TypeError, KeyError, binascii.Error):
        return INTERNAL_ERROR
    # Without a status code the whole result is the body.
    body = result.encode() if isinstance(result, str) else payload
    return HttpResponse(200, body, [("content-type", "application/json")])


def _structured(result: dict[str, Any]) -> HttpResponse:
    status = int(result["statusCode"])
    if not _LOWEST_STATUS <= status <= _HIGHEST_STATUS:
        return INTERNAL_ERROR
    headers = [
        (str(name).lower(), _text(value))
        for name, value in (result.get("headers") or {}).items()
        if value is not None and str(name).lower() not in _DROPPED
    ]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "text/plain;charset=utf-8"))
    headers += [("set-cookie", str(cookie)) for cookie in result.get("cookies") or []]
    return HttpResponse(status, _body(result), headers)


def _body(result: dict[str, Any]) -> bytes:
    body = result.get("body")
    if body is None:
        return b""
    if result.get("isBase64Encoded"):
        return base64.b64decode(body, validate=True)
    return body.encode() if isinstance(body, str) else json.dumps(body).encode()


def _text(value: object) -> str:
    text = json.dumps(value) if isinstance(value, bool) else str(value)
    if "\r" in text or "\n" in text:
        raise ValueError("A header may not contain a line break")
    return text
