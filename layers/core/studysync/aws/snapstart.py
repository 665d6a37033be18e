"""SnapStart: what is done before the memory of a published version is saved, and when a copy of it wakes up.

Before: one request nobody sent is answered, so that everything it loads, builds and compiles is in the snapshot.
After, because many copies of one memory wake up at any later time: sockets are dropped, secrets and keys are read
again, caches, tokens and allowances that were counted by a clock are given up, and each copy gets random state of its
own.
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
# Few requests need these, so they load late; in a snapshot they cost nothing.
_modules = ["cryptography.hazmat.primitives.ciphers.aead", "cryptography.hazmat.primitives.kdf.hkdf"]


def preload(module: str) -> None:
    """Have a module that loads late otherwise in the snapshot, where it costs nothing."""
    _modules.append(module)


def on_restore(work: Callable[[], object]) -> None:
    """Have work done in every copy that wakes up: forgetting what a domain keeps for itself."""
    _restorers.append(work)


def install(handler: Handler) -> bool:
    """Register both moments with the Lambda runtime; returns False where no snapshot will be taken."""
    if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return False
    from snapshot_restore_py import register_after_restore, register_before_snapshot  # comes with the runtime

    register_before_snapshot(warm_up, handler)
    register_after_restore(restore)
    return True


def warm_up(handler: Handler) -> None:
    """Answer a request to a path that does not exist: all middleware, no domain, no database."""
    from studysync.errors import ApiError
    from studysync.settings import get_settings

    for module in _modules:
        importlib.import_module(module)
    with suppress(ApiError):
        get_settings()  # the secret of now serves on where that of later is refused
    handler(_event(), _Context())


def restore() -> None:
    """Make this copy a process of its own."""
    from studysync.context import mark_restored

    random.seed()
    mark_restored()
    renew()
    resilience.on_restore()


def renew() -> None:
    """Drop sockets, and have settings, secrets and keys read again by whoever needs them next."""
    from studysync.api_keys import api_keys
    from studysync.auth.dependencies import token_verifier
    from studysync.db.client import database
    from studysync.db.transport import http_client, http_transport
    from studysync.settings import get_settings

    # The database uses it without the client.
    if http_transport.cache_info().currsize:  # pragma: no branch - nothing was sent before
        asyncio.get_event_loop().run_until_complete(http_transport().aclose())
    for kept in (database, token_verifier, api_keys, http_client, http_transport, get_settings):
        kept.cache_clear()
    for work in _restorers:
        work()


class _Context:
    """Lambda's context, as far as it is asked."""

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
