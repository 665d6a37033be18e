"""SnapStart: work before the memory of a published version is saved, and after a copy of it is restored.

Before the snapshot, a synthetic request is answered, so that everything it loads, builds and compiles is in the
snapshot. After a restore, many copies of the same memory may start at any later time: sockets are closed, secrets and
keys are read again, time-based caches, tokens and allowances are dropped, and each copy gets its own random state.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import resilience

Handler = Callable[[dict[str, Any], Any], Any]

_NOWHERE = "/api/nowhere"
_restorers: list[Callable[[], object]] = []
# Few requests need these, so they are loaded late; in a snapshot they cost nothing.
_modules = ["cryptography.hazmat.primitives.ciphers.aead", "cryptography.hazmat.primitives.kdf.hkdf"]


def preload(module: str) -> None:
    """Import a module before the snapshot that is otherwise loaded late; in the snapshot it costs nothing."""
    _modules.append(module)


def on_restore(work: Callable[[], object]) -> None:
    """Register a function that runs in every restored copy, such as clearing a domain's own state."""
    _restorers.append(work)


def install(handler: Handler) -> bool:
    """Register both hooks with the Lambda runtime; returns False where no snapshot will be taken."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return False
    from snapshot_restore_py import register_after_restore, register_before_snapshot  # provided by the runtime

    register_before_snapshot(warm_up, handler)
    register_after_restore(restore)
    return True


def warm_up(handler: Handler) -> None:
    """Answer a request to a path that does not exist: it passes all middleware, but no domain and no database."""
    from studysync.errors import ApiError
    from studysync.settings import get_settings

    for module in _modules:
        importlib.import_module(module)
    with suppress(ApiError):
        get_settings()  # if the secret cannot be read after a restore, this one stays in use
    handler(_event(), _Context())


def restore() -> None:
    """Make this copy independent of the others."""
    from studysync.context import mark_restored

    random.seed()
    mark_restored()
    renew()
    resilience.on_restore()


def renew() -> None:
    """Close sockets, and have settings, secrets and keys read again when they are next needed."""
    from studysync.auth.dependencies import token_verifier
    from studysync.db.client import database
    from studysync.db.transport import http_client, http_transport
    from studysync.settings import get_settings

    # The database uses it without the client.
    if http_transport.cache_info().currsize:  # pragma: no branch - nothing was sent before
        asyncio.get_event_loop().run_until_complete(http_transport().aclose())
    for kept in (database, token_verifier, http_client, http_transport, get_settings):
        kept.cache_clear()
    for work in _restorers:
        work()


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


def _event() -> dict[str, Any]:
    http = {"method": "GET", "path": _NOWHERE, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "snapshot"}
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": _NOWHERE,
        "rawQueryString": "",
        "headers": {"host": "snapshot.invalid"},
        "requestContext": {"http": http, "requestId": "snapshot", "stage": "$default", "timeEpoch": 0},
        "isBase64Encoded": False,
    }
