"""The dashboard in a real browser, over the real API: its contents."""

from __future__ import annotations

import time

import pytest

from local.backends import Backends
from resilience import PerformanceMonitor, performance_monitor
from resilience.testing import ManualClock
from studysync.telemetry.logging import app_logger
from testing.browser import Browser
from tests.integration.pages.browsing import DONE, MARKS, make_traffic, picture

pytestmark = MARKS


def test_an_empty_dashboard_is_a_calm_page(browser: Browser, url: str) -> None:
    """Without traffic the page says so, draws nothing wrong, and its policy blocks any other script."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for(DONE)
    assert "No requests in this time." in browser.text()
    assert "No errors seen." in browser.text()
    assert browser.evaluate("document.querySelectorAll('.circuit').length") >= 2
    assert browser.complaints == []
    picture(browser, "empty")


def test_a_busy_dashboard_shows_what_happens(browser: Browser, url: str) -> None:
    """Charts, endpoints, slow requests and errors are shown, on a phone and in dark mode too."""
    make_traffic()
    for _ in range(3):
        app_logger.error("the leaderboard could not be read", error_type="DatabaseDownError", request_id="Q2x8-06063")
    browser.open(f"{url}/health/dashboard", height=1500)
    browser.wait_for("document.querySelectorAll('#traffic rect').length >= 14")
    dashes = "e => getComputedStyle(e).strokeDasharray"
    assert len(set(browser.evaluate(f"[...document.querySelectorAll('#latency polyline')].map({dashes})"))) == 3
    styles = "e => getComputedStyle(e).borderTopStyle"
    assert len(set(browser.evaluate(f"[...document.querySelectorAll('#latency .key i')].map({styles})"))) == 3
    text = browser.text()
    assert "POST /api/sync/offline" in text
    assert "DatabaseDownError the leaderboard could not be read" in text
    assert browser.evaluate("document.querySelectorAll('#slow tbody tr').length") >= 3
    picture(browser, "busy")
    for name, width, dark in (("busy-dark", 1200, True), ("busy-phone", 390, False)):
        browser.open(f"{url}/health/dashboard", width=width, height=1500, dark=dark)
        browser.wait_for("document.querySelectorAll('#traffic rect').length >= 14")
        assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out sideways"
        picture(browser, name)
    assert browser.complaints == []


def test_an_operator_opens_and_resets_a_circuit(browser: Browser, url: str) -> None:
    """Buttons ask for confirmation, and the page shows the result."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelector('.circuit')")
    browser.click("[aria-label='Open circuit auth']")
    browser.click("#confirm [value=no]")
    assert "opened by hand" not in browser.text()
    browser.click("[aria-label='Open circuit auth']")
    browser.wait_for("document.querySelector('#confirm').open")
    browser.click("#confirm [value=yes]")
    browser.wait_for("document.querySelector('[aria-label=\"Reset circuit auth\"]')")
    assert "opened by hand, until it is reset" in browser.text()
    browser.click("[aria-label='Reset circuit auth']")
    browser.click("#confirm [value=yes]")
    browser.wait_for("document.querySelector('[aria-label=\"Open circuit auth\"]')")
    for order in ("clear-cache", "reset-metrics", "clear-errors"):
        browser.click(f"[data-order={order}]")
        browser.click("#confirm [value=yes]")
        browser.wait_for("document.querySelector('#notice').textContent.startsWith('Done')")
        browser.evaluate("notice('', '', 0.001)")
    assert browser.complaints == []


def test_an_outage_is_seen_at_a_glance(browser: Browser, url: str, backends: Backends) -> None:
    """While the database is down the page stays up in red, and shows which circuit is open and since when."""
    from studysync.db.client import breaker

    make_traffic()
    app_logger.log_database_operation(
        operation="call", table="get_profile", duration=2.0, success=False, error="DatabaseDownError: ConnectError"
    )
    backends.project.postgrest.kill()
    try:
        breaker.force_open(60)
        browser.open(f"{url}/health/dashboard", height=1500)
        browser.wait_for("document.querySelector('#status').textContent == 'outage'")
        browser.wait_for("document.querySelector('.h-open')")
        assert "next try in" in browser.text()
        picture(browser, "outage")
    finally:
        backends.project.postgrest.restart()


def test_a_long_outage_is_shown_from_its_beginning(
    browser: Browser, url: str, backends: Backends, long_outage: float
) -> None:
    """The band covers all 200 seconds in spite of the probes, the cause is first, and the tab title shows it.

    And a refresh in the middle of it leaves the keyboard where it was.
    """
    for _ in range(8):
        app_logger.error("calls are not made", error_type="CircuitOpenError")
    app_logger.error("connection refused", error_type="DatabaseDownError")
    backends.project.postgrest.kill()
    try:
        browser.open(f"{url}/health/dashboard")
        circuit = (
            "[...document.querySelectorAll('.circuit')].find(e => e.querySelector('strong').textContent == 'outage')"
        )
        browser.wait_for(f"{circuit} && {circuit}.querySelector('.h-open')")
        parts = browser.evaluate(
            f"[...{circuit}.querySelectorAll('.history i')].map(e => [e.className, +e.style.flexGrow])"
        )
        away = [seconds for name, seconds in parts if name in {"h-open", "h-half_open"}]
        assert sum(away) == pytest.approx(time.time() - long_outage, abs=15)
        assert "h-closed" not in [name for name, _ in parts[1:]], "no gap is filled with what was not"
        since = browser.evaluate(f"new Date({int(long_outage) * 1000}).toLocaleTimeString('en-GB')")
        assert f"open since {since}" in browser.evaluate(f"{circuit}.textContent")
        assert browser.evaluate("document.title").startswith("outage")
        first = browser.evaluate("document.querySelector('#errors tbody tr').textContent")
        assert "DatabaseDownError" in first
        browser.evaluate("document.querySelector(\"[aria-label='Reset circuit outage']\").focus()")
        browser.evaluate("(async () => { window.old = document.querySelector('.circuit'); await refresh() })()")
        assert browser.evaluate("!window.old.isConnected")
        assert browser.evaluate("document.activeElement.getAttribute('aria-label')") == "Reset circuit outage"
    finally:
        backends.project.postgrest.restart()


def test_a_day_can_be_looked_at(browser: Browser, url: str) -> None:
    """A day is shown in ten-minute steps with rollups, deployments and orders; the choice survives a reload."""
    now = time.time()
    for version, minutes in (("7", 100), ("8", 80), ("8", 30)):
        other = PerformanceMonitor(clock=ManualClock(now - 60 * minutes))
        other.describe(service="spaces", version=version)
        other._generation = performance_monitor._generation
        for _ in range(30):
            other.record("GET /api/spaces", 1.5, detail=f"request-of-{version}")
        assert other.flush()
        roller = PerformanceMonitor(clock=ManualClock(now - 60 * minutes + 600))
        assert roller.roll_up() >= 1
    browser.open(f"{url}/health/dashboard")
    browser.wait_for(DONE)
    assert "request-of-8" not in browser.text()
    browser.click("[data-minutes='1440']")
    browser.wait_for("document.querySelector('.window').textContent == 'last 24 hours'")
    assert browser.evaluate("document.querySelectorAll('#traffic rect').length") == 144
    assert "90" in browser.evaluate("document.querySelector('#tiles .tile').textContent")
    assert "deployment: spaces 8" in browser.evaluate("document.querySelector('#marks').textContent")
    assert browser.evaluate("document.querySelectorAll('#latency .m-deployment').length") == 1
    assert "request-of-7" in browser.evaluate("document.querySelector('#slow').textContent")
    browser.click("[data-order=clear-cache]")
    browser.click("#confirm [value=yes]")
    browser.wait_for("document.querySelector('#marks').textContent.includes('order of local: clear cache')")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelector('.window').textContent == 'last 24 hours'")
    assert browser.evaluate("document.querySelector('[aria-pressed=true]').dataset.minutes") == "1440"
    browser.click("[data-minutes='180']")
    browser.wait_for("document.querySelector('.window').textContent == 'last 3 hours'")
    assert browser.evaluate("document.querySelectorAll('#traffic rect').length") == 18
    picture(browser, "three-hours")
    assert browser.complaints == []


def test_environments_are_shown_on_demand(browser: Browser, url: str) -> None:
    """Environments are requested only while the section is open."""
    performance_monitor.record("GET /api/spaces", 0.1)
    browser.open(f"{url}/health/dashboard")
    browser.wait_for(DONE)
    asked = "performance.getEntriesByType('resource').filter(e => e.name.endsWith('/environments')).length"
    assert browser.evaluate(asked) == 0
    browser.click("#show-environments")
    browser.wait_for("document.querySelectorAll('#environments tbody tr').length >= 1")
    assert browser.evaluate("document.querySelector('#show-environments').getAttribute('aria-expanded')") == "true"
    browser.click("#show-environments")
    assert browser.evaluate("document.querySelector('#environments').textContent") == ""
    before = browser.evaluate(asked)
    browser.evaluate("refresh()")
    assert browser.evaluate(asked) == before


def test_alarms_and_links_of_a_deployed_stack(browser: Browser, url: str, raised_alarm: None) -> None:
    """A raised alarm is shown with its meaning, and a request id links to Logs Insights."""
    performance_monitor.record("GET /api/spaces", 2.5, detail="slow-one")
    app_logger.error("connection refused", error_type="DatabaseDownError", request_id="req-of-the-cause")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelector('#alarms tbody tr')")
    row = browser.evaluate("document.querySelector('#alarms tbody tr').innerText")
    assert "ThrottlesAlarm-1" in row
    assert "alarm" in row
    assert "P1: turned away" in row
    for place, id_ in (("#slow", "slow-one"), ("#errors", "req-of-the-cause")):
        link = browser.evaluate(f"document.querySelector('{place} tbody a').href")
        assert "logs-insights" in link
        assert id_ in link
    assert browser.complaints == []
