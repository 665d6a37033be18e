"""How often somebody may do something, counted by their network beside whatever else they are known by.

A school has one address for all its students, so limits by address are wide; what guesses or makes accounts has lower
ones of its own. X-Forwarded-For counts for nothing: a client writes it itself.

Failure policy: while DynamoDB is down everything goes through uncounted.
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

# What one household or host has of IPv6, from which it may call with any of so many addresses.
_IPV6_PREFIX = 64


class Allowance(NamedTuple):
    """What a call is counted against.

    Attributes:
        limiter: counts.
        subject: who, for this limiter.
        limits: in place of the limiter's own; ``None``: its own.
    """

    limiter: RateLimiter
    subject: str
    limits: tuple[Limit, ...] | None = None


async def count(*allowances: Allowance) -> Decision:
    """Count a call against all of `allowances`, which are asked side by side.

    A call that one of them refuses counts for none: who is over a limit of their own uses up nobody else's.

    Returns:
        The first refusal; where there is none, what the first allowance says.
    """
    asked = [_begin(limiter.check_async(subject, limits=limits)) for limiter, subject, limits in allowances]
    decisions = [await each for each in asked]
    refused = next((decision for decision in decisions if not decision.allowed), None)
    if refused is None:
        return decisions[0]
    uncount(*(each for each, decision in zip(allowances, decisions, strict=True) if decision.allowed))
    return refused


def _begin(work: Coroutine[Any, Any, Decision]) -> Awaitable[Decision]:
    """Begin to ask. Most are answered at once, and to schedule a task would cost more than that."""
    if sys.version_info >= (3, 12):  # pragma: no cover - tests may run on 3.11
        return asyncio.eager_task_factory(asyncio.get_running_loop(), work)
    return work  # pragma: no cover - one after the other; functions run on 3.13


def uncount(*allowances: Allowance) -> None:
    """Take back a call that was counted and let through."""
    for limiter, subject, limits in allowances:
        limiter.give_back(subject, limits=limits)


@lru_cache(maxsize=1024)
def network_of(address: str | None) -> str:
    """Return what an address counts as: an IPv6 address as its /64, one that stands for an IPv4 address as that."""
    try:
        parsed = ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or "unknown"  # a socket's name, where no network is involved
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((parsed, _IPV6_PREFIX), strict=False))


def by_network(limiter: RateLimiter, per_minute: int, per_hour: int) -> Allowance:
    """Return what the network of the request at hand may do."""
    context = request_context()
    subject = f"address:{network_of(context.address if context else None)}"
    return Allowance(limiter, subject, (Limit("minute", per_minute, 60), Limit("hour", per_hour, 3600)))


class Attempt:
    """One try at something of which only failures count; it counts until `forget` says that it was none.

    Args:
        event: the security event of a refusal.
        message: what the client is told then.
        allowances: what it is counted against.
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
        """Uncount it: it was right, or nobody could tell."""
        uncount(*self._allowances)
