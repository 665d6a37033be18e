"""Helpers that read requests."""

import json
from typing import Any

from starlette.requests import Request

from local.auth.errors import AuthError, validation_failed
from local.auth.limits import address_of
from local.auth.sessions import Client


def bearer_of(request: Request) -> str | None:
    """The bearer token; None without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def client_of(request: Request) -> Client:
    """Return the client, for the list of sessions."""
    return Client(request.headers.get("user-agent"), address_of(request))


async def body_of(request: Request) -> dict[str, Any]:
    """Return the body, a JSON object; empty if there is none."""
    raw = await request.body()
    try:
        return as_object(json.loads(raw) if raw else None)
    except ValueError as error:
        raise AuthError(400, "bad_json", f"Could not parse request body as JSON: {error}") from error


def as_object(value: Any) -> dict[str, Any]:
    """An object, or validation_failed; nothing counts as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise validation_failed("An object was expected")
    return value


def text_of(body: dict[str, Any], name: str, missing: str) -> str:
    """Return a required text."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise validation_failed(missing)
    return value


def number_of(request: Request, name: str, default: int) -> int:
    """A whole number above zero from the query."""
    text = request.query_params.get(name) or str(default)
    if not text.isdecimal() or not int(text):
        raise validation_failed(f"Bad Pagination Parameters: {name}")
    return int(text)


def redirect_of(request: Request) -> str | None:
    """Return the final target of a link in an email."""
    return request.query_params.get("redirect_to") or request.headers.get("referer")
