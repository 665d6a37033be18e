"""The ASGI application of the gateway: request in, event out, result in, response out."""

import json
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from local.gateway.cors import decorate, is_preflight, is_shared, preflight
from local.gateway.events import HttpRequest, build_event, new_request_id, new_trace_id
from local.gateway.responses import FORBIDDEN, INTERNAL_ERROR, NOT_FOUND, TOO_LARGE, UNAVAILABLE, HttpResponse, convert
from local.gateway.routing import Match, Router
from local.runtime.invocation import Failure, Outcome
from local.template import Cors, Template
from local.web_pages import is_own_host

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AccessLog = Callable[[str], None]

BODY_LIMIT = 10 * 1024 * 1024  # of API Gateway
EVENT_LIMIT = 6 * 1024 * 1024 + 100  # of a synchronous Lambda invocation


class ClientDisconnectedError(Exception):
    """The client disconnected in the middle of its request."""


class Invoker(Protocol):
    """Runs functions."""

    async def invoke(self, function: str, payload: bytes, *, trace_id: str) -> Outcome:
        """Run a function once."""


class Gateway:
    """Serves the HTTP API of a template; `reload` replaces it between two requests."""

    def __init__(self, template: Template, invoker: Invoker, *, port: int, access_log: AccessLog) -> None:
        self._invoker, self._port, self._access_log = invoker, port, access_log
        self.reload(template)

    def reload(self, template: Template) -> None:
        """Read routes and CORS from a template."""
        self._router = Router(template.routes(), stage=template.stage(), base_path=template.base_path())
        self._cors = template.cors()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            return
        began, request_id = time.perf_counter(), new_request_id()
        try:
            request = await self._read(scope, receive)
        except ClientDisconnectedError:
            return  # the client sent no valid request
        response = TOO_LARGE if request is None else await self._answer(request, request_id)
        headers = [*response.headers, ("apigw-requestid", request_id)]
        await _send(response, headers, send)
        took = (time.perf_counter() - began) * 1000
        self._access_log(f"{scope['method']} {scope['path']} {response.status} {took:.1f} ms {request_id}")

    async def _read(self, scope: Message, receive: Receive) -> HttpRequest | None:
        """Return the whole request; None if its body is over the limit."""
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnectedError
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
            more = message.get("more_body", False)
            if size > BODY_LIMIT:
                return None
        return HttpRequest(
            method=scope["method"],
            path=scope["raw_path"].decode("latin-1"),
            query=scope["query_string"].decode("latin-1"),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
            body=b"".join(chunks),
            client=scope["client"][0] if scope.get("client") else "127.0.0.1",
            port=self._port,
        )

    async def _answer(self, request: HttpRequest, request_id: str) -> HttpResponse:
        headers = dict(request.headers)
        if not is_own_host(headers.get("host")):
            return FORBIDDEN
        cors = self._cors if is_shared(request.path) else Cors()
        if cors.origins and is_preflight(request.method, headers):
            return preflight(cors, headers)
        match = self._router.match(request.method, request.path)
        response = NOT_FOUND if match is None else await self._invoke(request, match, request_id)
        return decorate(cors, headers, response)

    async def _invoke(self, request: HttpRequest, match: Match, request_id: str) -> HttpResponse:
        trace_id = dict(request.headers).get("x-amzn-trace-id") or new_trace_id()
        event = build_event(request, match, request_id=request_id, trace_id=trace_id)
        payload = json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        if len(payload) > EVENT_LIMIT:
            return TOO_LARGE
        outcome = await self._invoker.invoke(match.route.function, payload, trace_id=trace_id)
        if outcome.failure is None:
            return convert(outcome.payload)
        return UNAVAILABLE if outcome.failure in {Failure.TIMEOUT, Failure.CAPACITY} else INTERNAL_ERROR


async def _send(response: HttpResponse, headers: list[tuple[str, str]], send: Send) -> None:
    encoded = [(name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in headers]
    if response.status != 204:  # noqa: PLR2004 - which has no body and no length
        encoded.append((b"content-length", str(len(response.body)).encode()))
    await send({"type": "http.response.start", "status": response.status, "headers": encoded})
    await send({"type": "http.response.body", "body": response.body})
