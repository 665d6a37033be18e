"""The process's HTTP connection pool. It outlives invocations; after a freeze its connections may be dead.

It uses HTTP/1.1 on purpose: keep-alive HTTP/2 connections to PostgREST are known to end in ``RemoteProtocolError``.
"""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx

from studysync.context import traceparent

POOL_SIZE = 20

# The other side closed a keep-alive connection in the meantime. A server killed mid-response looks the same.
BROKEN_CONNECTION = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)


class ReconnectingTransport(httpx.AsyncHTTPTransport):
    """Sends a request again, once, if its connection broke.

    That is safe for nearly all requests: reads, and writes with an id by which a retry is recognised. Any other request
    opts out with the extension `once`.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` as part of the current trace; a second broken connection is raised."""
        trace = traceparent()
        if trace is not None:
            request.headers["traceparent"] = trace
        try:
            return await super().handle_async_request(request)
        except BROKEN_CONNECTION:
            if request.extensions.get("once"):
                raise
            return await super().handle_async_request(request)


TIMEOUT = httpx.Timeout(5.0, connect=2.0, pool=5.0)


@lru_cache(maxsize=1)
def tls_context() -> ssl.SSLContext:
    """Return the process's TLS context, shared because reading the certificate bundle takes 13 ms."""
    return httpx.create_ssl_context()


@lru_cache(maxsize=1)
def http_transport() -> httpx.AsyncBaseTransport:
    """Return the process's connections: at most 20, kept alive for 60 s."""
    limits = httpx.Limits(max_connections=POOL_SIZE, max_keepalive_connections=POOL_SIZE, keepalive_expiry=60.0)
    return ReconnectingTransport(verify=tls_context(), http2=False, limits=limits)


@lru_cache(maxsize=1)
def http_client() -> httpx.AsyncClient:
    """Return the process's client, with a timeout of 5 s for each step of a call."""
    return httpx.AsyncClient(transport=http_transport(), timeout=TIMEOUT)


async def post_json(
    transport: httpx.AsyncBaseTransport, url: httpx.URL, headers: httpx.Headers, body: bytes, seconds: dict[str, float]
) -> httpx.Response:
    """Send one POST and return the response, fully read; `seconds` as returned by `httpx.Timeout.as_dict`.

    Nearly every request makes this call. It takes half the time of the client's `post`: it leaves out cookies,
    redirects and authentication flows, which the database never uses, and URL and headers are parsed only once.
    """
    request = httpx.Request("POST", url, headers=headers, content=body, extensions={"timeout": seconds})
    response = await transport.handle_async_request(request)
    await response.aread()
    return response
