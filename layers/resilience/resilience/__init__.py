"""Calls that may fail, and what to do about it: breakers, retries, caching, fallbacks, limits, measurements, health.

Every part works alone and without AWS; with a DynamoDB table (`configure`, or RESILIENCE_TABLE) the execution
environments of a fleet share what they learn. Names load when they are first used, so that importing the package costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from resilience import events, testing
    from resilience._breaker._breaker import CircuitBreaker
    from resilience._breaker._config import CircuitConfig
    from resilience._breaker._states import CircuitSnapshot, CircuitState, CircuitTransition
    from resilience._breaker._wrap import circuit_breaker
    from resilience._clock import Clock
    from resilience._deadline import Deadline, clear_deadline, deadline, remaining, set_deadline, timeout_for
    from resilience._fallback import FallbackHandler, fallback_handler, with_fallback
    from resilience._hints import parse_retry_after, retry_after_of
    from resilience._limiter.decision import Decision, Limit
    from resilience._pool import ConnectionPool, PoolStats, connection_pool
    from resilience._retry._budget import RetryBudget
    from resilience._retry._policy import RetryPolicy
    from resilience._retry._retry import retry_async, retry_sync, with_retry
    from resilience._runtime import configure, default_store, flush, on_restore, shared_circuits, warm_up
    from resilience._served import Served, degraded, served, track_served
    from resilience.errors import (
        CircuitOpenError,
        ConfigurationError,
        DeadlineExceededError,
        PoolTimeoutError,
        RateLimitedError,
        ResilienceError,
        StoreError,
    )
    from resilience.store import DynamoStore, MemoryStore, Store

_WHERE = {
    "_breaker._breaker": "CircuitBreaker",
    "_breaker._config": "CircuitConfig",
    "_breaker._states": "CircuitSnapshot CircuitState CircuitTransition",
    "_breaker._wrap": "circuit_breaker",
    "_clock": "Clock",
    "_deadline": "Deadline clear_deadline deadline remaining set_deadline timeout_for",
    "_fallback": "FallbackHandler fallback_handler with_fallback",
    "_hints": "parse_retry_after retry_after_of",
    "_limiter.decision": "Decision Limit",
    "_pool": "ConnectionPool PoolStats connection_pool",
    "_retry._budget": "RetryBudget",
    "_retry._policy": "RetryPolicy",
    "_retry._retry": "retry_async retry_sync with_retry",
    "_runtime": "configure default_store flush on_restore shared_circuits warm_up",
    "_served": "Served degraded served track_served",
    "errors": "CircuitOpenError ConfigurationError DeadlineExceededError PoolTimeoutError RateLimitedError "
    "ResilienceError StoreError",
    "store": "DynamoStore MemoryStore Store",
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "CircuitBreaker",
    "CircuitConfig",
    "CircuitOpenError",
    "CircuitSnapshot",
    "CircuitState",
    "CircuitTransition",
    "Clock",
    "ConfigurationError",
    "ConnectionPool",
    "Deadline",
    "DeadlineExceededError",
    "Decision",
    "DynamoStore",
    "FallbackHandler",
    "Limit",
    "MemoryStore",
    "PoolStats",
    "PoolTimeoutError",
    "RateLimitedError",
    "ResilienceError",
    "RetryBudget",
    "RetryPolicy",
    "Served",
    "Store",
    "StoreError",
    "circuit_breaker",
    "clear_deadline",
    "configure",
    "connection_pool",
    "deadline",
    "default_store",
    "degraded",
    "events",
    "fallback_handler",
    "flush",
    "on_restore",
    "parse_retry_after",
    "remaining",
    "retry_after_of",
    "retry_async",
    "retry_sync",
    "served",
    "set_deadline",
    "shared_circuits",
    "testing",
    "timeout_for",
    "track_served",
    "warm_up",
    "with_fallback",
    "with_retry",
]


def __getattr__(name: str) -> Any:
    if name in {"events", "testing"}:
        return importlib.import_module(f"resilience.{name}")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'resilience' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"resilience.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
