"""SnapStart: work before the memory of a published version is saved, and after a copy of it is restored.

Before the snapshot, every route that only reads is requested once, so that whatever requests load, build and compile is
in the snapshot: a first request after a restore imports no module and opens no file. Where the database does not answer
then, less is in the snapshot, but the version is published all the same.

After a restore, many copies of the same memory may start at any later time: secrets and keys are read again,
connections are opened anew, time-based caches, tokens and buckets are dropped, and each copy gets its own random state.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
import io
import logging
import os
import random
import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

import resilience
from studysync.auth.dependencies import token_verifier
from studysync.auth.tokens import Caller, rehearse
from studysync.aws_clients import close_connections
from studysync.context import mark_restored
from studysync.db.client import database
from studysync.db.transport import http_client, http_transport
from studysync.settings import get_settings

Handler = Callable[[dict[str, Any], Any], Any]

_NOWHERE = "/health/nowhere"
_UNANSWERED = 500
_primers: list[Callable[[], object]] = []
_restorers: list[Callable[[], object]] = []


def on_snapshot(work: Callable[[], object]) -> None:
    """Register a function that runs before the snapshot, such as reading a file that only some requests need."""
    _primers.append(work)


def on_restore(work: Callable[[], object]) -> None:
    """Register a function that runs in every restored copy, such as clearing a domain's own state."""
    _restorers.append(work)


def install(handler: Handler, routes: list[BaseRoute]) -> bool:
    """Register both hooks with the Lambda runtime; returns False where no snapshot will be taken."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return False
    from snapshot_restore_py import register_after_restore, register_before_snapshot  # provided by the runtime

    register_before_snapshot(warm_up, handler, routes)
    register_after_restore(restore)
    return True


def warm_up(handler: Handler, routes: list[BaseRoute]) -> None:
    """Do what first requests would have to do. `routes` are the app's, and may grow with the first request."""
    # Passes all middleware, its line and metrics are written, and late routes are loaded.
    handler(_event(_NOWHERE), _Context())
    # What cannot be had now, such as a client without a region, comes later.
    for work in _primers:
        with contextlib.suppress(Exception):
            work()
    with _unrecorded(), contextlib.suppress(Exception):
        _request_all(handler, routes)
    _renew_connections()
    renew()  # the student who does not exist is known to nobody, and nothing holds the old connections
    gc.collect()
    gc.freeze()


def restore() -> None:
    """Make this copy independent of the others, and read anew what every request needs."""
    forget()
    asyncio.get_event_loop().run_until_complete(_read_anew())


def forget() -> None:
    """Drop what copies of one memory must not share. Sends nothing."""
    random.seed()
    mark_restored()
    close_connections()
    renew()
    resilience.on_restore()


def renew() -> None:
    """Have settings, secrets and keys read again when they are next needed."""
    for kept in (database, token_verifier, get_settings):
        kept.cache_clear()
    for work in _restorers:
        work()


async def _read_anew() -> None:
    await asyncio.gather(_read_keys(), asyncio.to_thread(resilience.warm_up))


async def _read_keys() -> None:
    """Read the secret and the keys of access tokens; what cannot be read now, the next request tries again."""
    with contextlib.suppress(Exception):
        await token_verifier().prepare()


def _renew_connections() -> None:
    """Replace the connections by new ones, which open on first use: those of the snapshot are dead in every copy."""
    asyncio.get_event_loop().run_until_complete(http_transport().aclose())
    http_client.cache_clear()
    http_transport.cache_clear()
    http_client()


def _request_all(handler: Handler, routes: list[BaseRoute]) -> None:
    """Request every route that reads, as a student who does not exist, until one is not answered."""
    loop = asyncio.get_event_loop()
    loop.run_until_complete(rehearse())
    loop.run_until_complete(_read_keys())
    token = secrets.token_urlsafe()
    with contextlib.suppress(Exception):
        token_verifier().admit(Caller(user_id=uuid.uuid4(), token=token))
    for route in routes:
        if not isinstance(route, APIRoute):
            continue
        inspect.getsourcelines(route.endpoint)  # FastAPI looks for it with the first request
        if "GET" in (route.methods or ()):
            path = re.sub(r"{[^}]+}", str(uuid.uuid4()), route.path)
            # A wrong token would be counted where operators have tokens of their own.
            event = _event(path, "" if "operations" in route.tags else token)
            if handler(event, _Context())["statusCode"] >= _UNANSWERED:
                break


@contextlib.contextmanager
def _unrecorded() -> Iterator[None]:
    """Keep requests of nobody out of logs and metrics."""
    logging.disable()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


class _Context:
    """The part of Lambda's context that the app uses."""

    function_name = "snapshot"
    aws_request_id = "snapshot"
    memory_limit_in_mb = 0
    invoked_function_arn = ""

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        """Return enough milliseconds for one request."""
        return 10_000


def _event(path: str, token: str = "") -> dict[str, Any]:
    headers = {"host": "snapshot.invalid"} | ({"authorization": f"Bearer {token}"} if token else {})
    http = {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "snapshot"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": headers,
        "requestContext": {"http": http, "requestId": "snapshot", "stage": "$default", "timeEpoch": 0},
        "isBase64Encoded": False,
    }
