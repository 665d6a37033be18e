"""The API over HTTP and a browser; skipped without Chromium."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import boto3
import pytest
from moto.server import ThreadedMotoServer

from health.operations import alarms
from local.backends import Backends
from local.docs_page import fetch_docs_page
from resilience import CircuitBreaker, CircuitOpenError, performance_monitor
from resilience.testing import ManualClock
from studysync import aws_clients
from studysync.telemetry.error_tracker import error_tracker
from testing.axe import axe_core
from testing.browser import Browser
from testing.client import Api
from testing.served import served
from tests.integration.pages.browsing import open_link


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    """The API over HTTP; these tests must not use `api` at the same time."""
    fetch_docs_page()
    with served(api) as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(autouse=True)
def signed_in(browser: Browser, url: str, backends: Backends) -> None:
    """The tab holds the operator's token from the link that `make serve` prints, and no earlier state."""
    # From a page without a script: the previous test's page would keep polling without its token.
    browser.open(f"{url}/health/liveness")
    browser.wait_for("location.pathname == '/health/liveness'")
    browser.evaluate("sessionStorage.clear()")
    open_link(browser, url, backends.operator_token)


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return axe_core().read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def clean_figures(backends: Backends) -> Iterator[None]:
    """Metrics are empty before the test, and every circuit is closed after it."""
    from studysync.db.client import breaker

    performance_monitor.reset()
    error_tracker.clear_errors()
    yield
    breaker.reset()
    performance_monitor.reset()
    error_tracker.clear_errors()


class _LostError(Exception):
    """The data of `long_outage`."""


@pytest.fixture
def long_outage(backends: Backends) -> Iterator[float]:
    """A circuit whose probes all failed for 200 seconds, on an adjusted clock; returns when the outage started."""
    clock = ManualClock(time.time() - 230)
    breaker = CircuitBreaker("outage", failure_threshold=1, recovery_timeout=5, max_recovery_timeout=5, clock=clock)

    def lose() -> None:
        raise _LostError

    began, probes = clock.wall(), 0
    while clock.wall() - began < 200:
        with suppress(_LostError, CircuitOpenError):
            breaker.call(lose)
            probes += 1
        clock.advance(1)
    yield began
    breaker.reset()


@pytest.fixture
def raised_alarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An alarm of a deployed stack is raised, in a CloudWatch by moto."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", f"http://{host}:{port}")
    monkeypatch.setattr(aws_clients, "_clients", {})
    client = boto3.client("cloudwatch")
    client.put_metric_alarm(
        AlarmName="studysync-prod-ThrottlesAlarm-1",
        AlarmDescription="P1: turned away",
        MetricName="Throttles",
        Namespace="AWS/Lambda",
        Period=60,
        Statistic="Sum",
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    client.set_alarm_state(AlarmName="studysync-prod-ThrottlesAlarm-1", StateValue="ALARM", StateReason="a test")
    # Only now, because the previous test's page may still be polling.
    monkeypatch.setenv("STACK_NAME", "studysync-prod")
    monkeypatch.setitem(alarms._kept, "until", 0.0)
    assert asyncio.run(alarms.alarms()).available  # cached for half a minute, so the page does not wait for moto
    yield
    server.stop()
    alarms._kept["until"] = 0.0
