"""Events for an application to count: circuit transitions, fallbacks, cache hits, rate limits that failed open.

An application subscribes once and turns events into metrics. A subscriber runs inside the call that caused the event,
so it must be quick. Failure policy: an Exception that a subscriber raises is logged and ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

logger = logging.getLogger("resilience")

CIRCUIT_TRANSITION: Final = "circuit_transition"
CIRCUIT_REJECTED: Final = "circuit_rejected"
RETRY: Final = "retry"
RETRY_BUDGET_EMPTY: Final = "retry_budget_empty"
HEDGE: Final = "hedge"
FALLBACK_SERVED: Final = "fallback_served"
CACHE_HIT: Final = "cache_hit"
CACHE_MISS: Final = "cache_miss"
CACHE_STALE: Final = "cache_stale"
RATE_LIMIT_OPEN: Final = "rate_limit_open"
RATE_LIMITED: Final = "rate_limited"
POOL_TIMEOUT: Final = "pool_timeout"
STORE_REQUEST: Final = "store_request"
STORE_ERROR: Final = "store_error"


class Event(NamedTuple):
    """One thing that happened.

    Attributes:
        kind: One of the constants of this module, such as `circuit_transition`.
        name: What it happened to: a circuit, function, fallback or cache key, rate limiter, or store.
        details: What else is known, for example `{"before": "closed", "after": "open"}`.
    """

    kind: str
    name: str
    details: Mapping[str, object] = MappingProxyType({})


Subscriber = Callable[[Event], object]
_subscribers: tuple[tuple[Subscriber, frozenset[str]], ...] = ()


def subscribe(subscriber: Subscriber, *kinds: str) -> Callable[[], None]:
    """Call subscriber with every event of the given kinds; with no kinds, with every event.

    Returns:
        A function without arguments that ends the subscription; calling it again does nothing.
    """
    global _subscribers  # noqa: PLW0603 - replaced as a whole, so that emitting needs no lock
    entry = (subscriber, frozenset(kinds))
    _subscribers = (*_subscribers, entry)

    def unsubscribe() -> None:
        global _subscribers  # noqa: PLW0603
        _subscribers = tuple(other for other in _subscribers if other is not entry)

    return unsubscribe


def wanted(kind: str) -> bool:
    """Return whether anyone subscribes to this kind, so that hot paths can skip building an event."""
    return any(not kinds or kind in kinds for _, kinds in _subscribers)


def emit(kind: str, name: str, **details: object) -> None:
    """Send an event to the subscribers of its kind; their Exceptions are logged and ignored."""
    if not _subscribers:
        return
    event = Event(kind, name, details)
    for subscriber, kinds in _subscribers:
        if kinds and kind not in kinds:
            continue
        try:
            subscriber(event)
        except Exception:
            logger.warning("a subscriber to %s raised; ignored", kind, exc_info=True)
