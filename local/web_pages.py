"""Keeps web pages away from servers on this machine.

Any page can make a browser send requests to loopback. It cannot read the responses, unless the page's own name resolves
to 127.0.0.1 by then (DNS rebinding); but the Host header still contains that name. Servers that no page needs also
reject whatever a browser sends for one.
"""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]
_Application = Callable[[_Message, _Receive, _Send], Awaitable[None]]

REFUSAL = b'{"message":"Forbidden: use localhost or an IP address, and not from pages of other sites"}'


def is_own_host(host: str | None) -> bool:
    """Return whether a Host header cannot be that of another site's page: localhost, or an IP address."""
    if not host:
        return False
    name = host[1:].partition("]")[0] if host.startswith("[") else host.rpartition(":")[0] or host
    if name.lower() == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_from_page(headers: Mapping[str, str]) -> bool:
    """Return whether a browser sent this for a page; header names in lower case. A page can change none of these."""
    fetched = any(name == "origin" or name.startswith("sec-fetch-") for name in headers)
    return fetched or headers.get("user-agent", "").startswith("Mozilla/")


def is_refused(headers: Mapping[str, str]) -> bool:
    """Return whether a server that no page needs rejects a request."""
    return not is_own_host(headers.get("host")) or is_from_page(headers)


class OwnHostsOnly:
    """ASGI middleware that rejects other hosts, and with `pages=False` everything that comes from a page."""

    def __init__(self, application: _Application, *, pages: bool = True) -> None:
        self._application, self._pages = application, pages

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
            if not is_own_host(headers.get("host")) if self._pages else is_refused(headers):
                start = [(b"content-type", b"application/json"), (b"content-length", str(len(REFUSAL)).encode())]
                await send({"type": "http.response.start", "status": 403, "headers": start})
                await send({"type": "http.response.body", "body": REFUSAL})
                return
        await self._application(scope, receive, send)
