"""The pages in a real browser, over the real API. Without a Chromium on the machine these tests are skipped."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.backends import Backends
from resilience import performance_monitor
from studysync.logging import app_logger, error_tracker
from tests.support.browser import PROGRAM, Browser
from tests.support.client import Api
from tests.support.outages import reconnect
from tests.support.served import served

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine: apt-get install chromium")

PICTURES = os.environ.get("STUDYSYNC_PICTURES")
"""A folder to keep pictures of the pages in, for people; unset: none are taken."""
DONE = "document.querySelector('#status').textContent != 'connecting'"


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    """The API over HTTP; no test in here uses `api` meanwhile."""
    with served(api) as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(autouse=True)
def signed_in(browser: Browser, url: str, backends: Backends) -> None:
    """The tab holds the operator's token, from the link that `make serve` prints."""
    open_link(browser, url, backends.operator_token)


def open_link(browser: Browser, url: str, token: str) -> None:
    browser.open(f"{url}/health/dashboard#token={token}")
    browser.wait_for("sessionStorage.length == 1 && !location.hash")


@pytest.fixture(autouse=True)
def clean_figures(backends: Backends) -> Iterator[None]:
    """Nothing measured before, and everything closed afterwards."""
    from studysync.database import breaker

    performance_monitor.reset()
    error_tracker.clear_errors()
    yield
    breaker.reset()
    performance_monitor.reset()
    error_tracker.clear_errors()


def picture(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.screenshot(Path(PICTURES) / f"{name}.png")


def make_traffic() -> None:
    """Fill the last minutes with what a term's afternoon may look like."""
    routes = ["POST /api/sessions/{session_id}/heartbeat", "GET /api/users/{user_id}", "POST /api/sync/offline"]
    now = time.time()
    clock = performance_monitor._clock
    moment = [now]
    performance_monitor._clock = type("Shifted", (), {"wall": lambda self: moment[0], "steady": clock.steady})()
    try:
        for minute in range(14, -1, -1):
            moment[0] = now - 60 * minute
            for n in range(60 + 35 * (minute % 5)):
                seconds = (
                    0.008
                    + (n % 17) * 0.004
                    + (0.9 if n % 71 == 70 else 0)
                    + (1.4 if n == 40 and minute % 4 == 0 else 0)
                )
                performance_monitor.record(routes[n % 3], seconds, error=minute in {5, 6} and n % 9 == 0)
                performance_monitor.record("database get_profile", seconds / 3)
    finally:
        performance_monitor._clock = clock


def test_an_empty_dashboard_is_a_calm_page(browser: Browser, url: str) -> None:
    """Without traffic it says so, draws nothing wrong, and its policy lets nothing else run."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for(DONE)
    assert "No requests in this time." in browser.text()
    assert "No errors seen." in browser.text()
    assert browser.evaluate("document.querySelectorAll('.circuit').length") >= 2
    assert browser.complaints == []
    picture(browser, "empty")


def test_a_busy_dashboard_shows_what_happens(browser: Browser, url: str) -> None:
    """Charts, endpoints, slow requests and errors are there, also on a phone and in the dark."""
    make_traffic()
    for _ in range(3):
        app_logger.error("the leaderboard could not be read", error_type="DatabaseDownError")
    browser.open(f"{url}/health/dashboard", height=1500)
    browser.wait_for("document.querySelectorAll('#traffic rect').length >= 14")
    assert browser.evaluate("document.querySelectorAll('#latency polyline').length") == 3
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
    """Buttons ask before they do anything, and the page shows what became of it."""
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
    """With the database gone the page stands, red, and tells which circuit is open since when."""
    from studysync.database import breaker

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


def test_the_page_stands_without_dynamodb(browser: Browser, url: str, backends: Backends) -> None:
    """It says that it knows of one environment only."""
    backends.dynamodb.kill()
    try:
        browser.open(f"{url}/health/dashboard")
        browser.wait_for("document.querySelector('#notice').textContent.includes('DynamoDB')")
        picture(browser, "without-dynamodb")
    finally:
        backends.dynamodb.restart()
        backends.recover(backends.dynamodb)
        reconnect()


def test_the_token_is_asked_for_and_kept_in_the_tab(browser: Browser, url: str, backends: Backends) -> None:
    """A wrong one is refused with a word, the right one opens the page, and a reload does not ask again."""
    browser.evaluate("sessionStorage.clear()")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("!document.querySelector('#login').hidden")
    assert browser.evaluate("document.querySelector('#board').hidden")
    picture(browser, "login")
    for token in ("wrong", backends.operator_token):
        browser.evaluate(f"document.querySelector('#token').value = {token!r}")
        browser.click("#login button")
        if token == "wrong":
            browser.wait_for("document.querySelector('#notice').textContent.includes('missing or wrong')")
    browser.wait_for("!document.querySelector('#board').hidden")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("!document.querySelector('#board').hidden")
    assert browser.evaluate("localStorage.length") == 0


def test_a_link_signs_in_and_leaves_no_token_behind(browser: Browser, url: str, backends: Backends) -> None:
    """The token is in neither the address nor the history, also where the page was open already."""
    for before in (f"{url}/api/docs", f"{url}/health/dashboard"):
        browser.evaluate("sessionStorage.clear()")
        browser.open(before)
        browser.wait_for("document.querySelector('h1')")
        open_link(browser, url, backends.operator_token)
        browser.wait_for("!document.querySelector('#board').hidden")
        history = browser.send("Page.getNavigationHistory")["entries"]
        assert not any(backends.operator_token in entry["url"] for entry in history)
    open_link(browser, url, "a wrong token")
    browser.wait_for("!document.querySelector('#login').hidden")


def test_the_docs_show_every_operation(browser: Browser, url: str) -> None:
    """All paths of the document, found by a word, and nothing from elsewhere."""
    browser.open(f"{url}/api/docs")
    browser.wait_for("document.querySelectorAll('details').length > 40")
    browser.evaluate("document.querySelector('details:has(summary code)').open = true")
    picture(browser, "docs")
    browser.evaluate(
        "(s => { s.value = 'offline'; s.dispatchEvent(new Event('input')) })(document.querySelector('#search'))"
    )
    assert browser.evaluate("document.querySelectorAll('details:not([hidden])').length") in range(1, 10)
    outside = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length"
    assert browser.evaluate(outside) == 0
    assert browser.complaints == []
