"""Rate limits per network, in addition to those per user or account.

All students of a school share an address, so the limits per address are high; guessing and registering have lower ones.
X-Forwarded-For is ignored, because clients can set it.

Failure policy: while DynamoDB is down, nothing is counted or limited.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Coroutine
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, NamedTuple

from resilience import Decision, Limit, RateLimiter
from studysync.context import request_context
from studysync.errors import RATE_LIMIT_EXCEEDED, ApiError
from studysync.telemetry.logging import app_logger

# A household or host gets a /64 of IPv6, and can use any of its addresses.
_IPV6_PREFIX = 64


class Allowance(NamedTuple):
    """A limit that a call counts against.

    Attributes:
        limiter: counts the calls.
        subject: the key within this limiter.
        limits: used instead of the limiter's own; ``None``: its own.
    """

    limiter: RateLimiter
    subject: str
    limits: tuple[Limit, ...] | None = None


async def count(*allowances: Allowance) -> Decision:
    """Count a call against all of `allowances`, concurrently.

    A call that one of them rejects counts for none, so exceeding one's own limit does not use up a shared one.

    Returns:
        The first rejection, or else the decision of the first allowance.
    """
    asked = [_begin(limiter.check_async(subject, limits=limits)) for limiter, subject, limits in allowances]
    decisions = [await each for each in asked]
    refused = next((decision for decision in decisions if not decision.allowed), None)
    if refused is None:
        return decisions[0]
    uncount(*(each for each, decision in zip(allowances, decisions, strict=True) if decision.allowed))
    return refused


def _begin(work: Coroutine[Any, Any, Decision]) -> Awaitable[Decision]:
    """Start the coroutine eagerly: most finish at once, and scheduling a task would cost more."""
    if sys.version_info >= (3, 12):  # pragma: no cover - tests may run on 3.11
        return asyncio.eager_task_factory(asyncio.get_running_loop(), work)
    return work  # pragma: no cover - sequentially; functions run on 3.13


def uncount(*allowances: Allowance) -> None:
    """Undo the count of a call that was allowed."""
    for limiter, subject, limits in allowances:
        limiter.refund(subject, limits=limits)


@lru_cache(maxsize=1024)
def network_of(address: str | None) -> str:
    """Return an address's network: IPv6 addresses by /64, IPv4-mapped ones as the IPv4 address."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"  # the name of a Unix socket
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, _IPV6_PREFIX), strict=False))


def by_network(limiter: RateLimiter, per_minute: int, per_hour: int) -> Allowance:
    """Return the allowance of the current request's network."""
    context = request_context()
    subject = f"address:{network_of(context.address if context else None)}"
    return Allowance(limiter, subject, (Limit("minute", per_minute, 60), Limit("hour", per_hour, 3600)))


class Attempt:
    """An attempt of which only failures count: it is counted first, and uncounted by `forget`.

    Args:
        event: the security event of a rejection.
        message: the client's message of a rejection.
        allowances: what it counts against.
    """

    def __init__(self, event: str, message: str, *allowances: Allowance) -> None:
        self._event, self._message, self._allowances = event, message, allowances

    async def count(self) -> None:
        """Count it.

        Raises:
            ApiError: RATE_LIMIT_EXCEEDED.
        """
        decision = await count(*self._allowances)
        if not decision.allowed:
            app_logger.log_security_event(event_type=self._event, severity="high")
            raise ApiError(RATE_LIMIT_EXCEEDED, self._message, headers=decision.headers())

    def forget(self) -> None:
        """Uncount it: the attempt succeeded, or could not be verified."""
        uncount(*self._allowances)
