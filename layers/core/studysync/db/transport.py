"""The one HTTP pool of a process. It outlives invocations; after a freeze its connections may be dead.

HTTP/1.1 on purpose: kept HTTP/2 connections to PostgREST are known to end in ``RemoteProtocolError``.
"""

from __future__ import annotations

import ssl
from functools import lru_cache

import httpx

from studysync.context import traceparent

POOL_SIZE = 20

# A kept connection that the other side has closed meanwhile; also how a killed server looks in the middle of an answer.
BROKEN_CONNECTION = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError, httpx.CloseError)


class ReconnectingTransport(httpx.AsyncHTTPTransport):
    """Sends a request once more when its connection broke.

    That is safe for nearly all that goes through here: reads, and writes that carry an id by which a repeat is
    recognised. What is not says so with the extension `once`.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, as a part of the trace at hand; a second break is raised."""
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
    """Return what verifies servers: the process's one, because reading a bundle of authorities takes 13 ms."""
    return httpx.create_ssl_context()


@lru_cache(maxsize=1)
def http_transport() -> httpx.AsyncBaseTransport:
    """Return the process's connections: at most 20, kept for 60 s."""
    limits = httpx.Limits(max_connections=POOL_SIZE, max_keepalive_connections=POOL_SIZE, keepalive_expiry=60.0)
    return ReconnectingTransport(verify=tls_context(), http2=False, limits=limits)


@lru_cache(maxsize=1)
def http_client() -> httpx.AsyncClient:
    """Return the process's client: 5 s at most for each step of a call."""
    return httpx.AsyncClient(transport=http_transport(), timeout=TIMEOUT)


async def post_json(
    transport: httpx.AsyncBaseTransport, url: httpx.URL, headers: httpx.Headers, body: bytes, seconds: dict[str, float]
) -> httpx.Response:
    """Send one POST and return the answer, read; `seconds` as `httpx.Timeout.as_dict` has them.

    For the call that nearly every request makes: half the time of the client's `post`, without what the database never
    uses (cookies, redirects, authentication flows), and with a URL and headers that are parsed once and not each time.
    """
    request = httpx.Request("POST", url, headers=headers, content=body, extensions={"timeout": seconds})
    response = await transport.handle_async_request(request)
    await response.aread()
    return response
