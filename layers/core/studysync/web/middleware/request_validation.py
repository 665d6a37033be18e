"""Checks before a route sees the request: the size and the content type of its body."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from studysync.errors import NOT_FOUND, REQUEST_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, ApiError
from studysync.web.middleware.error_handler import error_response

METHODS_WITH_BODY = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_MAX_DIGITS = 18


class RequestValidationMiddleware:
    """Rejects bodies that are too large (413) or not JSON (415), and misspelled paths (404); added in any order.

    Args:
        app: the inner ASGI application.
        max_request_size: maximum size of a body in bytes.
    """

    def __init__(self, app: ASGIApp, *, max_request_size: int = 10 * 1024 * 1024) -> None:
        if max_request_size < 0:
            raise ValueError(f"max_request_size must not be negative, got {max_request_size!r}")
        self.app = app
        self.max_request_size = max_request_size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http" or (scope["method"] not in METHODS_WITH_BODY and scope["path"][-1:] != "\n"):
            await self.app(scope, receive, send)
            return
        try:
            if scope["path"][-1:] == "\n":
                # In Starlette's patterns, a trailing line break still matches the end, so a path would have two
                # spellings.
                raise ApiError(NOT_FOUND, "This path does not exist.")
            body = await self._checked(Headers(scope=scope), receive)
        except ApiError as refused:
            await error_response(refused, scope["path"])(scope, receive, send)
            return
        given = False

        async def receive_again() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self.app(scope, receive_again, send)

    async def _checked(self, headers: Headers, receive: Receive) -> bytes:
        length = headers.get("content-length", "")
        # Python refuses to parse a number with thousands of digits.
        if length.isdecimal() and (len(length) > _MAX_DIGITS or int(length) > self.max_request_size):
            raise self._too_large()
        # Behind API Gateway the whole body has arrived already; elsewhere we stop within one byte of the limit.
        body = await self._read(receive)
        if body and not _is_json(headers.get("content-type", "")):
            raise ApiError(UNSUPPORTED_MEDIA_TYPE, "The Content-Type must be application/json.")
        return body

    async def _read(self, receive: Receive) -> bytes:
        chunks = bytearray()
        while True:
            message = await receive()
            chunks += message.get("body", b"")
            if len(chunks) > self.max_request_size:
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(chunks)

    def _too_large(self) -> ApiError:
        details = {"max_request_bytes": self.max_request_size}
        return ApiError(REQUEST_TOO_LARGE, "The request body is too large.", details)


def _is_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or (media_type.startswith("application/") and media_type.endswith("+json"))
