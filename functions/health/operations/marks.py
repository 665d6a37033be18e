"""Marks in the charts: deployments and operators' actions."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable, Mapping
from typing import Any

from resilience import StoreError, default_store
from studysync.telemetry.logging import app_logger

_PARTITION = "metrics"
_KEEP_SECONDS = 26 * 3_600
_MOST = 500
_TOGETHER_SECONDS = 600
"""Functions of one deployment switch within this many seconds of each other."""

Seen = Iterable[tuple[Mapping[str, str], int]]


async def record_order(operator: str, operation: str, what: str) -> None:
    """Record an operator's action; if that fails, the action still takes effect."""
    now = time.time()
    mark: dict[str, str | float | None] = {
        "at": now,
        "who": operator,
        "text": f"{operation.replace('_', ' ')} {what}".strip(),
    }
    key = f"mark#{int(now * 1000)}#{os.urandom(3).hex()}"
    try:
        await asyncio.to_thread(default_store().put, _PARTITION, key, mark, ttl=int(now) + _KEEP_SECONDS)
    except StoreError:
        app_logger.warning("an action cannot be shown in the charts", kind="operations", operation=operation)


async def orders(since: float) -> list[dict[str, Any]]:
    """Return the actions since a Unix time, oldest first; none while DynamoDB does not answer."""
    try:
        found = await asyncio.to_thread(default_store().query, _PARTITION, sk_prefix="mark#", limit=_MOST)
    except StoreError:
        return []
    return [{"kind": "order", **each.attributes} for each in found if float(str(each.attributes["at"])) >= since]


def deployments(seen: Seen, since: float) -> list[dict[str, Any]]:
    """Return when versions of functions were first seen in a window, oldest first, grouped by deployment.

    Args:
        seen: what environments reported about themselves, with the Unix second of the first minute in which one did.
        since: when the window began; versions seen in its first minutes are not new.
    """
    known: set[str] = set()
    marks: list[dict[str, Any]] = []
    for about, at in sorted(seen, key=lambda entry: entry[1]):
        service, version = about.get("service"), about.get("version")
        if not service or not version:
            continue
        if service in known and at >= since + 60:
            text = f"{service} {version}"
            if marks and at - marks[-1]["at"] < _TOGETHER_SECONDS:
                marks[-1]["text"] += f", {text}"
            else:
                marks.append({"kind": "deployment", "at": float(at), "who": None, "text": text})
        known.add(service)
    return marks
