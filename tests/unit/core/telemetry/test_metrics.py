"""What is published to CloudWatch: which metrics, with how few dimensions, at what cost."""

from __future__ import annotations

import itertools
import json
import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience import CircuitState, events
from studysync.settings import get_settings
from studysync.telemetry import metrics
from studysync.telemetry.audit import audit_logger
from studysync.telemetry.logging import app_logger

Published = Callable[[], dict[str, Any]]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Published]:
    """What an invocation publishes, as CloudWatch reads it; {} for no line."""
    monkeypatch.setenv("SUPABASE_URL", "https://project.supabase.co")
    monkeypatch.setenv("STAGE", "prod")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", metrics.NAMESPACE)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "users")
    for cache in (get_settings, metrics._metrics):
        cache.cache_clear()
    metrics.observe()
    metrics._pending.clear()
    times = itertools.count(step=60)

    def publish() -> dict[str, Any]:
        capsys.readouterr()
        metrics.publish(lambda: next(times))
        out = capsys.readouterr().out
        return dict(json.loads(out)) if out else {}

    yield publish
    for cache in (get_settings, metrics._metrics):
        cache.cache_clear()


def emit_everything() -> None:
    """Emit every metric in the way in which production does."""
    metrics.count_request("/api/users/{user_id}", 0.0123, error=True)
    app_logger.log_business_event(event_type="session_completed", xp_awarded=35)
    batch = {"synced_count": 3, "duplicate_count": 1, "rejected_count": 2, "xp_awarded": 40, "completed_count": 1}
    app_logger.log_business_event(event_type="offline_batch", **batch)
    app_logger.log_business_event(event_type="event_retried", xp_awarded=5, completed_count=1)
    app_logger.log_business_event(event_type="silent_sessions_closed", completed=2, abandoned=1, xp_awarded=20)
    app_logger.log_security_event(event_type="failed_login", severity="medium")
    for state in (CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.CLOSED):
        events.emit(events.CIRCUIT_TRANSITION, "database", before="", after=state, reason="failures")
    for kind in (events.CACHE_HIT, events.CACHE_MISS, events.RATE_LIMITED, events.FALLBACK_SERVED, events.STORE_ERROR):
        events.emit(kind, "x")
    metrics.count("InvariantViolations", 2)


def test_every_metric_is_emitted_with_two_sets_of_dimensions(published: Published) -> None:
    """Metrics are by stage, and by stage and function; ids and routes are never dimensions."""
    emit_everything()
    line = published()
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "StudySync"
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == dict(metrics.UNITS)
    assert sorted(map(sorted, directive["Dimensions"])) == [["service", "stage"], ["stage"]]
    assert (line["stage"], line["service"]) == ("prod", "users")
    found = {name: line[name][0] for name in metrics.UNITS}
    assert (found["XpAwarded"], found["SessionsCompleted"]) == (100, 5)
    assert (found["SyncApplied"], found["SyncRejected"]) == (3, 2)
    assert (found["BreakerTransitions"], found["BreakerOpened"]) == (3, 1)
    assert (found["Requests"], found["Errors"], found["Latency"]) == (1, 1, 12.3)


def test_the_number_of_metrics_is_budgeted() -> None:
    """Each combination of dimensions is billed per metric and month: six functions and their total."""
    assert len(metrics.UNITS) * (6 + 1) <= 120
    with pytest.raises(KeyError):
        metrics.count("Requests for /api/users/7")


def test_an_invocation_publishes_what_it_counted_and_no_more(published: Published) -> None:
    """One line is published once, for several requests together, and none without data."""
    metrics.count_request("/api/users", 0.001, error=False)
    metrics.count_request("/api/users", 0.003, error=True)
    line = published()
    assert (line["Requests"], line["Errors"], line["Latency"]) == ([2], [1], [1.0, 3.0])
    assert published() == {}


@pytest.mark.usefixtures("published")
def test_traffic_is_published_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """The first request at once, those that follow together; what is no traffic, and a full line, do not wait."""

    def publish_at(seconds: float) -> list[Any]:
        capsys.readouterr()
        metrics.publish(lambda: seconds)
        return [json.loads(line)["Latency"] for line in capsys.readouterr().out.splitlines()]

    metrics._written["at"] = float("-inf")
    for milliseconds, at, written in ((1, 100.0, [[1]]), (2, 101.0, []), (3, 109.9, []), (4, 110.0, [[2, 3, 4]])):
        metrics.count_request("/api/users", milliseconds / 1000, error=False)
        assert publish_at(at) == written
    metrics.count_request("/api/users", 0.005, error=False)
    metrics.count("SecurityEvents")
    assert publish_at(111.0) == [[5]]
    for _ in range(99):
        metrics.count_request("/api/users", 0.006, error=False)
    assert publish_at(112.0) == [[6] * 99]
    metrics.count_request("/api/users", 0.007, error=False)
    assert publish_at(50.0) == [[7]]  # the clock was set back


def test_a_server_error_is_told_by_version(
    published: Published, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed request has a line of its own, and others have none: deployments are rolled back by it."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    capsys.readouterr()
    metrics.count_request("/api/users", 0.001, error=False)
    assert capsys.readouterr().out == ""
    metrics.count_request("/api/users", 0.001, error=True)
    line = json.loads(capsys.readouterr().out)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == metrics.NAMESPACE
    assert [metric["Name"] for metric in directive["Metrics"]] == [metrics.VERSION_ERRORS]
    assert [sorted(names) for names in directive["Dimensions"]] == [["service", "stage", "version"]]
    assert (line["stage"], line["service"], line["version"]) == ("prod", "users", "7")
    assert line[metrics.VERSION_ERRORS] == [1]


def test_health_is_not_traffic(published: Published) -> None:
    """Health probes are not counted, because they would mask what users see."""
    metrics.count_request("/health/readiness", 0.001, error=True)
    assert published() == {}


def test_followed_transitions_are_counted_once_for_the_fleet(published: Published) -> None:
    """An environment that only follows another's circuit counts no transition."""
    events.emit(events.CIRCUIT_TRANSITION, "database", before="closed", after=CircuitState.OPEN, reason="shared")
    assert published() == {}


def test_nothing_is_printed_where_nobody_collects(published: Published, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a namespace no line is printed, and no data accumulates."""
    monkeypatch.delenv("POWERTOOLS_METRICS_NAMESPACE")
    metrics.count("Requests")
    assert published() == {}
    assert metrics._pending == {}


def test_it_costs_less_than_its_share(published: Published) -> None:
    """Counting costs at most 0.15 ms of processor time per request, line included; the best of several runs."""
    best = 1.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(50):
            metrics.count_request("/api/users/{user_id}", 0.01, error=False)
            metrics.publish()
        best = min(best, (time.process_time() - began) / 50)
    assert best < 0.000_15


def test_audit_lines_are_written_at_every_log_level() -> None:
    """A higher log level keeps the audit trail, and writes no other lines."""
    usual = app_logger.log_level
    app_logger.setLevel("ERROR")
    written: list[str] = []
    handler = app_logger.handlers[0]
    emit, handler.emit = handler.emit, lambda record: written.append(record.getMessage())  # type: ignore[method-assign]
    try:
        app_logger.info("not this")
        audit_logger.log_authentication(user_id=None, success=False)
        app_logger.warning("nor this")
        assert app_logger.log_level == logging.ERROR
    finally:
        handler.emit = emit  # type: ignore[method-assign]
        app_logger.setLevel(usual)
    assert written == ["audit authentication"]
