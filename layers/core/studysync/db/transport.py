"""The process's HTTP connection pool. It outlives invocations; after a freeze its connections may be dead.

The connections are pyreqwest's, behind httpx's interface: a call takes a quarter of the CPU of httpx's own, and a
handshake a third. It uses HTTP/1.1 on purpose: keep-alive HTTP/2 connections to PostgREST are known to end in
``RemoteProtocolError``.
"""

from __future__ import annotations

import atexit
import time
from datetime import timedelta
from functools import lru_cache

import httpx
from pyreqwest import exceptions
from pyreqwest.client import Client, ClientBuilder

from studysync.context import traceparent

POOL_SIZE = 20

# The other side closed a keep-alive connection in the meantime. A server killed mid-response looks the same.
BROKEN_CONNECTION = (httpx.RemoteProtocolError, httpx.ReadError)
_WHILE_CONNECTING = "client error (Connect)"
# pyreqwest's thread drops its references to Python's objects a moment after the answer. An interpreter of 3.13 that
# ends meanwhile aborts: 6 of 200 processes that ended with their answer did, and 0 of 400 that waited so long.
_LAST_REFERENCES_SECONDS = 0.05


class ReconnectingTransport(httpx.AsyncBaseTransport):
    """Sends a request again, once, if its connection broke. Responses are fully read.

    Of a request's timeouts only `read` is used, as the deadline of one whole attempt; the client has those for
    connecting and for the pool.

    That is safe for nearly all requests: reads, and writes with an id by which a retry is recognised. Any other request
    opts out with the extension `once`.

    Args:
        client: the connections.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` as part of the current trace.

        Raises:
            httpx.TransportError: the second broken connection, or anything else that kept a response from arriving.
        """
        trace = traceparent()
        if trace is not None:
            request.headers["traceparent"] = trace
        try:
            return await self._send(request)
        except BROKEN_CONNECTION:
            if request.extensions.get("once"):
                raise
            return await self._send(request)

    async def aclose(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        builder = self._client.request(request.method, str(request.url)).headers(request.headers.multi_items())
        seconds = request.extensions.get("timeout", {}).get("read")
        if seconds is not None:
            builder = builder.timeout(timedelta(seconds=seconds))
        try:
            response = await builder.body_bytes(await request.aread()).build().send()
            content = bytes(await response.bytes())
        except exceptions.DetailedPyreqwestError as error:
            raise _translated(error)(error.message, request=request) from error
        return httpx.Response(response.status, headers=list(response.headers.items()), content=content)


def _translated(error: exceptions.DetailedPyreqwestError) -> type[httpx.TransportError]:
    """Return httpx's error. pyreqwest has one for a refused connection and for one that breaks while it is used."""
    connecting = any(cause["message"] == _WHILE_CONNECTING for cause in error.details["causes"] or [])
    if isinstance(error, exceptions.PoolTimeoutError):
        return httpx.PoolTimeout
    if isinstance(error, TimeoutError):
        return httpx.ConnectTimeout if connecting else httpx.ReadTimeout
    if isinstance(error, exceptions.NetworkError):
        return httpx.ConnectError if connecting else httpx.ReadError
    return httpx.RemoteProtocolError


TIMEOUT = httpx.Timeout(5.0, connect=2.0, pool=5.0)


@lru_cache(maxsize=1)
def http_transport() -> httpx.AsyncBaseTransport:
    """Return the process's connections: at most 20, kept alive for 60 s.

    They trust the machine's certificate authorities, or those in ``SSL_CERT_FILE`` or ``SSL_CERT_DIR``.
    """
    atexit.unregister(_let_go)
    atexit.register(_let_go)
    builder = ClientBuilder().max_connections(POOL_SIZE).pool_idle_timeout(timedelta(seconds=60))
    builder = builder.connect_timeout(timedelta(seconds=2)).pool_timeout(timedelta(seconds=5))
    # Like httpx's transports: redirects, proxies and compression are not decided here.
    builder = builder.follow_redirects(enable=False).no_proxy()
    return ReconnectingTransport(builder.gzip(False).brotli(False).zstd(False).deflate(False).build())


def _let_go() -> None:
    time.sleep(_LAST_REFERENCES_SECONDS)


@lru_cache(maxsize=1)
def http_client() -> httpx.AsyncClient:
    """Return the process's client, with a timeout of 5 s for each call, and 2 s for connecting."""
    return httpx.AsyncClient(transport=http_transport(), timeout=TIMEOUT)


async def post_json(
    transport: httpx.AsyncBaseTransport, url: httpx.URL, headers: httpx.Headers, body: bytes, seconds: dict[str, float]
) -> httpx.Response:
    """Send one POST and return the response, fully read; `seconds` as returned by `httpx.Timeout.as_dict`.

    Nearly every request makes this call. It leaves out the cookies, redirects and authentication flows of the client's
    `post`, which the database never uses, and URL and headers are parsed only once.
    """
    request = httpx.Request("POST", url, headers=headers, content=body, extensions={"timeout": seconds})
    response = await transport.handle_async_request(request)
    await response.aread()
    return response
