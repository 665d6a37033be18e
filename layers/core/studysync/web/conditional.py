"""Conditional requests: responses have an entity tag, and a matching `If-None-Match` gets a 304 without a body."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from studysync.web.middleware.compression import accepts_gzip

F = TypeVar("F", bound=Callable[..., Any])

_TAG = {"ETag": {"description": "Send it as `If-None-Match`.", "required": True, "schema": {"type": "string"}}}
TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": _TAG},
    304: {"description": "The response has not changed since the one named in `If-None-Match`.", "headers": _TAG},
}
"""For the OpenAPI document: the responses of a route with entity tags, besides errors."""
_PARAMETER = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "The `ETag` of the response that you have.",
    "schema": {"type": "string", "maxLength": 1000},
}


def conditional_get(router: APIRouter, path: str, **options: Any) -> Callable[[F], F]:
    """Return the same as `router.get`, for a route whose responses have an entity tag."""

    def add(endpoint: F) -> F:
        router.add_api_route(
            path,
            endpoint,
            methods=["GET"],
            route_class_override=_ConditionalRoute,
            responses=TAGGED,
            openapi_extra={"parameters": [_PARAMETER]},
            **options,
        )
        return endpoint

    return add


class _ConditionalRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, which also adds the tag to its responses."""
        handle = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await handle(request)
            return with_tag(request, response) if response.status_code == 200 else response  # noqa: PLR2004

        return tagged


def with_tag(request: Request, response: Response, tag: str | None = None) -> Response:
    """Return `response` with its tag, or a 304 if the client has it already.

    Args:
        request: may contain the client's tag.
        response: the complete response.
        tag: of its body, if known; weak, because it is the same whether compressed or not.
    """
    tag = tag or entity_tag(response.body)
    response.headers["ETag"] = tag
    response.headers.setdefault("Cache-Control", "private, no-cache")  # caches may store it, but must revalidate
    known = request.headers.get("if-none-match")
    if known is None or not _names(known, tag):
        return response
    # A cache takes these from the 304, including a page's policy, which that of JSON would otherwise replace.
    kept = {name: value for name, value in response.headers.items() if not name.startswith("content-")}
    if policy := response.headers.get("content-security-policy"):
        kept["content-security-policy"] = policy
    return Response(status_code=304, headers=kept)


def entity_tag(body: bytes | memoryview) -> str:
    """Return the tag of a body."""
    return f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'


def _names(known: str, tag: str) -> bool:
    """Compare as RFC 9110 specifies for reads: weakly, and a star matches everything."""
    tags = {each.strip().removeprefix("W/") for each in known.split(",")}
    return known.strip() == "*" or tag.removeprefix("W/") in tags


class StaticAnswer:
    """A response that is the same for everyone during the life of the process: compressed and tagged once.

    Args:
        body: the response body.
        media_type: of the body.
        headers: with a policy for caches.
    """

    def __init__(self, body: bytes, media_type: str, headers: Mapping[str, str]) -> None:
        self._body, self._type = body, media_type
        self._headers = {**headers, "Vary": "Accept-Encoding"}
        self._compressed = gzip.compress(body, mtime=0)
        self._tag = entity_tag(body)

    def to(self, request: Request) -> Response:
        """Return it as `request` accepts it: compressed or plain, or as a 304."""
        if accepts_gzip(request.scope):
            response = Response(self._compressed, media_type=self._type, headers=self._headers)
            response.headers["Content-Encoding"] = "gzip"
        else:
            response = Response(self._body, media_type=self._type, headers=self._headers)
        return with_tag(request, response, self._tag)
