"""Metrics for CloudWatch (EMF lines through Powertools Metrics) and for `/health/metrics`.

They are counted in memory and written at the end of an invocation. While requests follow each other and nothing but
traffic is counted, one line is written every ten seconds: with one for each request, every second byte of the logs
would be metrics. An environment that ends takes up to ten seconds of counts with it.

The cost is bounded: the metrics below have the dimensions stage, and stage and service, but no others. The one
exception is `VERSION_ERRORS`, written only for failed requests, which rolls back deployments.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from aws_lambda_powertools.metrics import Metrics, MetricUnit, single_metric

from resilience import cache_manager, events, performance_monitor

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
"""All metrics. Counting any other name raises an error."""
VERSION_ERRORS = "VersionErrors"
"""Server errors by stage, service and published version; an alarm in the template watches the newest version."""

_COUNTED_EVENTS = {
    events.CACHE_HIT: "CacheHits",
    events.CACHE_STALE: "CacheHits",
    events.CACHE_MISS: "CacheMisses",
    events.RATE_LIMITED: "RateLimited",
    events.FALLBACK_SERVED: "FallbacksServed",
    events.STORE_ERROR: "StoreErrors",
}
# Metrics of business events, by the fields of the event. A repeated request that gets its first answer again counts
# again: CloudWatch shows the activity, the ledger the XP awarded.
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
_TRAFFIC = frozenset({"Requests", "Latency", "CacheHits", "CacheMisses", "XpAwarded", "SessionsCompleted"})
"""The metrics that may wait for `_LINE_SECONDS`; a line with any other is written at once."""
_LINE_SECONDS = 10.0
_LINE_VALUES = 99
"""CloudWatch reads 100 of one metric in a line, with which Powertools writes one by itself."""

_pending: dict[str, list[float]] = {}
_written = {"at": float("-inf")}


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
    """Count a request. Health checks are not counted, to show what users see, but do count as errors of a version."""
    if error:
        _publish_version_error()
    if route.startswith(_UNCOUNTED_PREFIX):
        return
    count("Requests")
    if error:
        count("Errors")
    count("Latency", round(seconds * 1000, 2))


def _publish_version_error() -> None:
    """Write a line for a request that this version of the function answered with a server error."""
    if "POWERTOOLS_METRICS_NAMESPACE" not in os.environ:
        return
    with single_metric(name=VERSION_ERRORS, unit=MetricUnit.Count, value=1) as metric:
        metric.add_dimension("stage", _stage())
        metric.add_dimension("service", os.environ.get("POWERTOOLS_SERVICE_NAME", ""))
        metric.add_dimension("version", os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"))


def count_business_event(event_type: str, fields: Mapping[str, Any]) -> None:
    """Count the metrics of a business event."""
    for name, field in _BUSINESS.get(event_type, {}).items():
        count(name, fields.get(field, 0) if field else 1)


def publish(clock: Callable[[], float] = time.time) -> None:
    """Write the counts as one line, at the end of an invocation, if that is due.

    Args:
        clock: seconds, of a clock that goes on while Lambda freezes the process.
    """
    if not _pending or not _is_due(clock()):
        return
    _written["at"] = clock()
    taken = dict(_pending)
    _pending.clear()
    if "POWERTOOLS_METRICS_NAMESPACE" not in os.environ:
        return  # not collected anywhere
    metrics = _metrics()
    metrics.add_dimensions(stage=_stage())
    for name, values in taken.items():
        for value in values[-_LINE_VALUES:]:
            metrics.add_metric(name=name, unit=UNITS[name], value=value)
    metrics.flush_metrics()


def _is_due(now: float) -> bool:
    most = max(len(values) for values in _pending.values())
    return not 0 <= now - _written["at"] < _LINE_SECONDS or most >= _LINE_VALUES or not _pending.keys() <= _TRAFFIC


def observe() -> None:
    """Start counting events of the resilience layer, once per process."""
    _begin()


@lru_cache(maxsize=1)
def _begin() -> None:
    events.subscribe(_on_event, *_COUNTED_EVENTS, events.CIRCUIT_TRANSITION)
    performance_monitor.report("cache", _cache_metrics)
    performance_monitor.describe(
        service=os.environ.get("POWERTOOLS_SERVICE_NAME", ""),
        version=os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", ""),
    )


def _on_event(event: events.Event) -> None:
    if event.kind != events.CIRCUIT_TRANSITION:
        count(_COUNTED_EVENTS[event.kind])
    elif event.details["reason"] != "shared":  # counted by the environment that decided it
        count("BreakerTransitions")
        if event.details["after"] == "open":
            count("BreakerOpened")


def _cache_metrics() -> dict[str, float]:
    stats = cache_manager.get_stats()
    names = ("local_hits", "shared_hits", "misses", "coalesced", "stale", "entries", "bytes", "evictions", "errors")
    return {name: getattr(stats, name) for name in names}


@lru_cache(maxsize=1)
def _metrics() -> Metrics:
    metrics = Metrics()
    metrics.set_default_dimensions(stage=_stage())
    return metrics


def _stage() -> str:
    return os.environ.get("STAGE") or "local"  # works without the secret, unlike the settings
