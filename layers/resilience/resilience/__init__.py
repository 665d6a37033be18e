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
    from resilience._breaker._fleet import (
        SharedCircuit,
        force_open_async,
        reset_circuit_async,
        shared_circuits,
        shared_circuits_async,
    )
    from resilience._breaker._record import CircuitChange
    from resilience._breaker._states import CircuitSnapshot, CircuitState, CircuitTransition
    from resilience._breaker._wrap import circuit_breaker
    from resilience._cache._cached import cached
    from resilience._cache._codec import register_type
    from resilience._cache._manager import CacheManager, CacheStats, cache_manager
    from resilience._caller import caller_scope, current_caller, set_caller
    from resilience._clock import Clock
    from resilience._deadline import Deadline, clear_deadline, deadline, remaining, set_deadline, timeout_for
    from resilience._fallback import FallbackHandler, fallback_handler, with_fallback
    from resilience._health import CheckResult, HealthChecker, HealthReport, health_checker
    from resilience._hints import parse_retry_after, retry_after_of
    from resilience._limiter.decision import Decision, Limit
    from resilience._limiter.limiter import RateLimiter, rate_limiter
    from resilience._monitor._figures import Performance, SlowCall
    from resilience._monitor._measure import monitor_performance
    from resilience._monitor._monitor import FleetReport, Minute, PerformanceMonitor, performance_monitor
    from resilience._monitor._occurrences import Occurrence, Occurrences
    from resilience._monitor._sketch import Sketch
    from resilience._pool import ConnectionPool, PoolStats, connection_pool
    from resilience._query import QueryOptimizer
    from resilience._retry._budget import RetryBudget
    from resilience._retry._policy import RetryPolicy
    from resilience._retry._retry import retry_async, retry_sync, with_retry
    from resilience._runtime import begin, configure, default_store, flush, on_restore, settle, warm_up
    from resilience._served import Served, degraded, served, track_served
    from resilience._transient import code_of, is_transient_sqlstate, status_of, transient_errors
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
    "_breaker._fleet": "SharedCircuit force_open_async reset_circuit_async shared_circuits shared_circuits_async",
    "_breaker._record": "CircuitChange",
    "_breaker._states": "CircuitSnapshot CircuitState CircuitTransition",
    "_breaker._wrap": "circuit_breaker",
    "_cache._cached": "cached",
    "_cache._codec": "register_type",
    "_cache._manager": "CacheManager CacheStats cache_manager",
    "_caller": "caller_scope current_caller set_caller",
    "_clock": "Clock",
    "_deadline": "Deadline clear_deadline deadline remaining set_deadline timeout_for",
    "_fallback": "FallbackHandler fallback_handler with_fallback",
    "_health": "CheckResult HealthChecker HealthReport health_checker",
    "_hints": "parse_retry_after retry_after_of",
    "_limiter.decision": "Decision Limit",
    "_limiter.limiter": "RateLimiter rate_limiter",
    "_monitor._figures": "Performance SlowCall",
    "_monitor._measure": "monitor_performance",
    "_monitor._monitor": "FleetReport Minute PerformanceMonitor performance_monitor",
    "_monitor._occurrences": "Occurrence Occurrences",
    "_monitor._sketch": "Sketch",
    "_pool": "ConnectionPool PoolStats connection_pool",
    "_query": "QueryOptimizer",
    "_retry._budget": "RetryBudget",
    "_retry._policy": "RetryPolicy",
    "_retry._retry": "retry_async retry_sync with_retry",
    "_runtime": "begin configure default_store flush on_restore settle warm_up",
    "_served": "Served degraded served track_served",
    "_transient": "code_of is_transient_sqlstate status_of transient_errors",
    "errors": "CircuitOpenError ConfigurationError DeadlineExceededError PoolTimeoutError RateLimitedError "
    "ResilienceError StoreError",
    "store": "DynamoStore MemoryStore Store",
}
_MODULE_OF = {name: module for module, names in _WHERE.items() for name in names.split()}

__all__ = [
    "CacheManager",
    "CacheStats",
    "CheckResult",
    "CircuitBreaker",
    "CircuitChange",
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
    "FleetReport",
    "HealthChecker",
    "HealthReport",
    "Limit",
    "MemoryStore",
    "Minute",
    "Occurrence",
    "Occurrences",
    "Performance",
    "PerformanceMonitor",
    "PoolStats",
    "PoolTimeoutError",
    "QueryOptimizer",
    "RateLimitedError",
    "RateLimiter",
    "ResilienceError",
    "RetryBudget",
    "RetryPolicy",
    "Served",
    "SharedCircuit",
    "Sketch",
    "SlowCall",
    "Store",
    "StoreError",
    "begin",
    "cache_manager",
    "cached",
    "caller_scope",
    "circuit_breaker",
    "clear_deadline",
    "code_of",
    "configure",
    "connection_pool",
    "current_caller",
    "deadline",
    "default_store",
    "degraded",
    "events",
    "fallback_handler",
    "flush",
    "force_open_async",
    "health_checker",
    "is_transient_sqlstate",
    "monitor_performance",
    "on_restore",
    "parse_retry_after",
    "performance_monitor",
    "rate_limiter",
    "register_type",
    "remaining",
    "reset_circuit_async",
    "retry_after_of",
    "retry_async",
    "retry_sync",
    "served",
    "set_caller",
    "set_deadline",
    "settle",
    "shared_circuits",
    "shared_circuits_async",
    "status_of",
    "testing",
    "timeout_for",
    "track_served",
    "transient_errors",
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
