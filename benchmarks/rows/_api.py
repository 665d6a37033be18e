"""The API in this process: the functions' apps over real backends, without the gateway or response validation."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from uuid import uuid4

import httpx
import jwt
from starlette.types import ASGIApp, Receive, Scope, Send

from local.backends import Backends

_DOMAINS = {"auth": "users"} | {name: name for name in ("users", "sessions", "gamification", "spaces", "sync")}


class _AllFunctions:
    """An ASGI app that routes each request to its function's app."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        domain = _DOMAINS.get(scope["path"].split("/")[2], "health")
        app: ASGIApp = import_module(f"{domain}.app").app
        await app(scope, receive, send)


class Api:
    """An in-process client of the API, with its own event loop."""

    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._loop = asyncio.new_event_loop()
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(_AllFunctions()), base_url="http://api.test")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine on the loop and return its result."""
        return self._loop.run_until_complete(work)

    def token(self, user: str) -> str:
        """Return an access token signed as the auth server would, valid for one hour."""
        keys, now = self._backends.keys, int(time.time())
        claims = {"sub": user, "aud": "authenticated", "role": "authenticated", "iat": now, "exp": now + 3600}
        claims |= {"iss": f"{self._backends.project.url}/auth/v1", "session_id": str(uuid4())}
        return jwt.encode(claims, keys.private_key, algorithm="ES256", headers={"kid": keys.key_id})

    def request(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and return the JSON of the answer; raise RuntimeError for an error status."""
        response: httpx.Response = self.run(self._client.request(method, path, **options))
        if response.is_error:
            raise RuntimeError(f"{method} {path}: {response.status_code} {response.text}")
        return response.json()

    def close(self) -> None:
        """Close the connections and the loop."""
        from studysync.db.transport import http_client

        self.run(http_client().aclose())
        self._loop.close()


class Caller:
    """A client that sends requests as one student."""

    def __init__(self, api: Api, user: str) -> None:
        self._api, self._headers = api, {"Authorization": f"Bearer {api.token(user)}"}

    def get(self, path: str) -> Any:
        """Send a GET request and return the JSON of the answer."""
        return self._api.request("GET", path, headers=self._headers)

    def post(self, path: str, body: Any = None) -> Any:
        """Send a POST request and return the JSON of the answer."""
        return self._api.request("POST", path, headers=self._headers, json=body or {})


@contextmanager
def in_process(backends: Backends) -> Iterator[Api]:
    """Yield the API over these backends. It logs to standard output."""
    before = dict(os.environ)
    os.environ.update(backends.environment, RATE_LIMIT_PER_MINUTE="10000000", RATE_LIMIT_PER_HOUR="100000000")
    forget_environment()
    api = Api(backends)
    try:
        yield api
    finally:
        api.close()
        forget_environment()
        os.environ.clear()
        os.environ.update(before)


def forget_environment() -> None:
    """Clear cached settings and clients, which an earlier benchmark in this process may have filled."""
    from studysync import settings
    from studysync.auth import dependencies
    from studysync.db import client, transport

    for read in (
        settings.get_settings,
        client.database,
        transport.http_transport,
        transport.http_client,
        *_cached_in(dependencies),
    ):
        read.cache_clear()


def _cached_in(module: Any) -> list[Any]:
    return [value for value in vars(module).values() if hasattr(value, "cache_clear")]
