"""Figures for CloudWatch (EMF lines through Powertools Metrics) and for `/health/metrics`.

Counted in memory while a request runs and written once an invocation. The budget is fixed: the metrics below, by stage
and by stage and function, and nothing else is ever a dimension; the route is a field of the line, for Logs Insights.
The one exception is `VERSION_ERRORS`, written only for a request that failed, by which a deployment is taken back.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from resilience import events, performance_monitor

if TYPE_CHECKING:
    from aws_lambda_powertools.metrics import Metrics

NAMESPACE = "StudySync"
UNITS: Mapping[str, str] = {
    "Requests": "Count",
    "Errors": "Count",
    "Latency": "Milliseconds",
    "SessionsCompleted": "Count",
    "XpAwarded": "Count",
    "SyncApplied": "Count",
    "SyncRejected": "Count",
    "BreakerTransitions": "Count",
    "BreakerOpened": "Count",
    "CacheHits": "Count",
    "CacheMisses": "Count",
    "RateLimited": "Count",
    "FallbacksServed": "Count",
    "StoreErrors": "Count",
    "InvariantViolations": "Count",
    "SecurityEvents": "Count",
}
"""Every metric there is. A name that is not here is an error where it is counted."""
VERSION_ERRORS = "VersionErrors"
"""Server errors by stage, service and published version: an alarm of the template watches those of the newest."""

_COUNTED_EVENTS = {
    events.CACHE_HIT: "CacheHits",
    events.CACHE_STALE: "CacheHits",
    events.CACHE_MISS: "CacheMisses",
    events.RATE_LIMITED: "RateLimited",
    events.FALLBACK_SERVED: "FallbacksServed",
    events.STORE_ERROR: "StoreErrors",
}
# What a business event is worth, by the fields that it carries. A repeat of a request that has its answer already is
# counted again: CloudWatch shows how much goes on, the ledger what was paid.
_BUSINESS = {
    "session_completed": {"XpAwarded": "xp_awarded", "SessionsCompleted": ""},
    "offline_batch": {
        "SyncApplied": "synced_count",
        "SyncRejected": "rejected_count",
        "XpAwarded": "xp_awarded",
        "SessionsCompleted": "completed_count",
    },
    "event_retried": {"XpAwarded": "xp_awarded", "SessionsCompleted": "completed_count"},
    "silent_sessions_closed": {"XpAwarded": "xp_awarded", "SessionsCompleted": "completed"},
}
_UNCOUNTED_PREFIX = "/health"

_pending: dict[str, list[float]] = {}
_routes: list[str] = []


def count(name: str, value: float = 1) -> None:
    """Add `value` to the metric `name` of this invocation.

    Raises:
        KeyError: there is no such metric.
    """
    if UNITS[name] == "Count" and name in _pending:
        _pending[name][0] += value
    else:
        _pending.setdefault(name, []).append(value)


def count_request(route: str, seconds: float, *, error: bool) -> None:
    """Count a request; those of load balancers and operators would hide what users see, but judge a deployment too."""
    if error:
        _publish_version_error()
    if route.startswith(_UNCOUNTED_PREFIX):
        return
    count("Requests")
    if error:
        count("Errors")
    count("Latency", round(seconds * 1000, 2))
    _routes[:] = [route]


def _publish_version_error() -> None:
    """Write a line for a request that this version of the function answered with a server error."""
    if "POWERTOOLS_METRICS_NAMESPACE" not in os.environ:
        return
    from aws_lambda_powertools.metrics import MetricUnit, single_metric

    with single_metric(name=VERSION_ERRORS, unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("stage", _stage())
        metric.add_dimension("service", os.environ.get("POWERTOOLS_SERVICE_NAME", ""))
        metric.add_dimension("version", os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"))


def count_business_event(event_type: str, fields: Mapping[str, Any]) -> None:
    """Count what a business event says."""
    for name, field in _BUSINESS.get(event_type, {}).items():
        count(name, fields.get(field, 0) if field else 1)


def publish() -> None:
    """Write what was counted as one line; at the end of an invocation."""
    if not _pending:
        return
    taken = dict(_pending)
    _pending.clear()
    if "POWERTOOLS_METRICS_NAMESPACE" not in os.environ:
        return  # nobody collects it
    metrics = _metrics()
    metrics.add_dimensions(stage=_stage())
    for name, values in taken.items():
        for value in values[-100:]:  # as many as one line may hold
            metrics.add_metric(name=name, unit=UNITS[name], value=value)
    if _routes:
        metrics.add_metadata("route", _routes.pop())
    metrics.flush_metrics()


def observe() -> None:
    """Begin to count what the resilience layer tells of; once a process."""
    _begin()


@lru_cache(maxsize=1)
def _begin() -> None:
    events.subscribe(_on_event, *_COUNTED_EVENTS, events.CIRCUIT_TRANSITION)
    performance_monitor.report("cache", _cache_metrics)


def _on_event(event: events.Event) -> None:
    if event.kind != events.CIRCUIT_TRANSITION:
        count(_COUNTED_EVENTS[event.kind])
    elif event.details["reason"] != "shared":  # counted where it was decided
        count("BreakerTransitions")
        if event.details["after"] == "open":
            count("BreakerOpened")


def _cache_metrics() -> dict[str, float]:
    from resilience import cache_manager

    stats = cache_manager.get_stats()
    names = ("local_hits", "shared_hits", "misses", "coalesced", "stale", "entries", "bytes", "evictions", "errors")
    return {name: getattr(stats, name) for name in names}


@lru_cache(maxsize=1)
def _metrics() -> Metrics:
    from aws_lambda_powertools.metrics import Metrics

    metrics = Metrics()
    metrics.set_default_dimensions(stage=_stage())
    return metrics


def _stage() -> str:
    return os.environ.get("STAGE") or "local"  # not the settings: figures are written while the secret is refused
