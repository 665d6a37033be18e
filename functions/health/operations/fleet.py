"""The fleet's metrics, in operators' responses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from resilience import CheckResult, CircuitState, EnvironmentReport, FleetReport, Performance, SharedCircuit

METHODS = ("GET ", "POST ", "PATCH ", "PUT ", "DELETE ", "HEAD ", "OPTIONS ", "OTHER ")
Figures = Mapping[str, float]
KEPT_CHANGES = 20
"""The number of changes in a circuit's shared record (`SharedCircuit.history`)."""


def is_endpoint(name: str) -> bool:
    """Return whether a metric's name is that of an endpoint, not of a dependency."""
    return name.startswith(METHODS)


def is_traffic(name: str) -> bool:
    """Return whether a metric's name is that of a client's request, not of a load balancer's or operator's."""
    return is_endpoint(name) and " /health" not in name


def moment(seconds: float) -> datetime:
    """Return a Unix time as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def timing(figures: Performance) -> dict[str, Any]:
    """Return counts and times in milliseconds."""
    times = {"average": figures.mean, "p50": figures.p50, "p95": figures.p95, "p99": figures.p99}
    return {
        "requests": figures.count,
        "errors": figures.errors,
        **{f"{name}_ms": round(seconds * 1000, 2) for name, seconds in times.items()},
    }


def endpoint(figures: Performance) -> dict[str, Any]:
    """Return one name's figures."""
    return {
        "name": figures.name,
        **timing(figures),
        "error_rate": _share(figures.errors, figures.count),
        "max_ms": round(figures.max * 1000, 2),
        "slow": figures.slow,
    }


def metrics(report: FleetReport, window: int) -> dict[str, Any]:
    """Return the whole report except the circuits; busiest names first."""
    named = sorted(report.names.values(), key=lambda each: -each.count)
    return {
        "window_minutes": window,
        "step_minutes": report.step_minutes,
        "environments": report.environments,
        "complete": report.complete,
        "endpoints": [endpoint(each) for each in named if is_endpoint(each.name)],
        "dependencies": [endpoint(each) for each in named if not is_endpoint(each.name)],
        "minutes": [{"at": moment(minute.at), **timing(minute.figures)} for minute in report.minutes],
        "cache": cache(report.reports.get("cache", ())),
        "pool": pool(report.reports.get("pool", ())),
    }


def environment(report: EnvironmentReport) -> dict[str, Any]:
    """Return one execution environment."""
    return {
        "id": report.id,
        "service": report.about.get("service", ""),
        "version": report.about.get("version", ""),
        "last_seen": moment(report.last_seen),
        **timing(report.figures),
        "connections": int(report.reports.get("pool", {}).get("active", 0)),
        "waiting": int(report.reports.get("pool", {}).get("waiting", 0)),
        "cache_entries": int(report.reports.get("cache", {}).get("entries", 0)),
    }


def cache(reports: Sequence[Figures]) -> dict[str, Any]:
    """Return the caches of all environments combined."""
    local, shared, stale, misses = (_sum(reports, name) for name in ("local_hits", "shared_hits", "stale", "misses"))
    hits = local + shared + stale
    return {
        "hit_rate": _share(hits, hits + misses),
        "hits": int(hits),
        "misses": int(misses),
        "stale": int(stale),
        "entries": int(_sum(reports, "entries")),
        "memory_bytes": int(_sum(reports, "bytes")),
        "evictions": int(_sum(reports, "evictions")),
        "environments": len(reports),
    }


def pool(reports: Sequence[Figures]) -> dict[str, Any]:
    """Return the pools of all environments combined."""
    active, limit = _sum(reports, "active"), _sum(reports, "limit")
    waited, acquired = _sum(reports, "wait_seconds_total"), _sum(reports, "acquired")
    longest = max((each.get("wait_seconds_max", 0.0) for each in reports), default=0.0)
    return {
        "active": int(active),
        "limit": int(limit),
        "utilisation": _share(active, limit),
        "waiting": int(_sum(reports, "waiting")),
        "average_wait_ms": round(1000 * waited / acquired, 3) if acquired else 0.0,
        "longest_wait_ms": round(1000 * longest, 3),
        "timeouts": int(_sum(reports, "timeouts")),
        "environments": len(reports),
    }


def check(result: CheckResult) -> dict[str, Any]:
    """Return a check; its failure in our own words, or by the exception's name, because its text may name hosts."""
    message = (result.message or "").removeprefix("UnhealthyError: ").removeprefix("ApiError: SERVICE_UNAVAILABLE: ")
    kind, colon, _ = message.partition(": ")
    if result.status != "pass" and colon and kind.isidentifier():
        message = kind
    return {"status": result.status, "latency_ms": round(result.latency_ms, 2), "message": message or None}


def circuit(shared: SharedCircuit) -> dict[str, Any]:
    """Return one circuit."""
    return {
        "name": shared.name,
        "state": shared.state.value,
        "since": _left_closed(shared),
        "reason": shared.reason,
        "opens": shared.opens,
        "retry_after_seconds": round(shared.retry_after, 1),
        "forced": shared.forced,
        "history_complete": len(shared.history) < KEPT_CHANGES,
        "history": [
            {"at": moment(change.at), "state": change.state.value, "reason": change.reason} for change in shared.history
        ],
    }


def _left_closed(shared: SharedCircuit) -> datetime | None:
    """Return when the circuit, which is not closed, was last closed; None if unknown."""
    since = None
    for change in reversed(shared.history):
        if change.state is CircuitState.CLOSED:
            break
        since = moment(change.at)
    return None if shared.state is CircuitState.CLOSED else since


def _sum(reports: Sequence[Figures], name: str) -> float:
    return sum(each.get(name, 0.0) for each in reports)


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 0.0
