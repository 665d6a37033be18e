"""The pages in a real browser, over the real API. Without a Chromium on the machine these tests are skipped."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from health.operations import alarms
from local.backends import Backends
from local.docs_page import fetch_docs_page
from resilience import CircuitBreaker, CircuitOpenError, PerformanceMonitor, performance_monitor
from resilience.testing import ManualClock
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger
from testing.axe import axe_core
from testing.browser import PROGRAM, Browser
from testing.client import Api, openapi
from testing.outages import reconnect
from testing.served import served

pytestmark = [
    pytest.mark.own_servers,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine: apt-get install chromium"),
]

PICTURES = os.environ.get("STUDYSYNC_PICTURES")
"""A folder to keep pictures of the pages in, for people; unset: none are taken."""
VIOLATIONS = """axe.run().then(found => found.violations.map(rule =>
  [rule.id, rule.nodes.slice(0, 3).map(node => node.html.slice(0, 120) + ' ' + node.failureSummary)]))"""
DONE = "document.querySelector('#status').textContent != 'connecting'"


@pytest.fixture(scope="module")
def url(api: Api) -> Iterator[str]:
    """The API over HTTP; no test in here uses `api` meanwhile."""
    fetch_docs_page()
    with served(api) as url:
        yield url


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture(autouse=True)
def signed_in(browser: Browser, url: str, backends: Backends) -> None:
    """The tab holds the operator's token, from the link that `make serve` prints, and nothing of before."""
    if browser.evaluate("location.origin").startswith("http"):
        browser.evaluate("sessionStorage.clear()")
    open_link(browser, url, backends.operator_token)


def open_link(browser: Browser, url: str, token: str) -> None:
    browser.open(f"{url}/health/dashboard#token={token}")
    browser.wait_for("sessionStorage.length == 1 && !location.hash")


@pytest.fixture(scope="module")
def axe() -> str:
    """The source of axe-core."""
    return axe_core().read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def clean_figures(backends: Backends) -> Iterator[None]:
    """Nothing measured before, and everything closed afterwards."""
    from studysync.db.client import breaker

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
                failed = minute in {5, 6} and n % 9 == 0
                performance_monitor.record(routes[n % 3], seconds, error=failed, detail=f"Q2x8-{minute:02}{n:03}")
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


class _LostError(Exception):
    """What the outage of `long_outage` is made of."""


@pytest.fixture
def long_outage(backends: Backends) -> Iterator[float]:
    """A circuit of which all probes failed for 200 seconds, on a clock that was moved; when that began."""
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


def test_a_long_outage_is_shown_from_its_beginning(
    browser: Browser, url: str, backends: Backends, long_outage: float
) -> None:
    """The band is open for all of its 200 seconds, however often it was probed; the cause is first, the tab says it.

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
    """By ten minutes, with what was rolled up, deployments and orders; the choice survives a reload."""
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
    """They are asked for while somebody looks at them, and not before or after."""
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


@pytest.fixture
def raised_alarm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A deployed stack's alarm is raised, in a CloudWatch by moto."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    monkeypatch.setenv("AWS_ENDPOINT_URL_CLOUDWATCH", f"http://{host}:{port}")
    monkeypatch.setenv("STACK_NAME", "studysync-prod")
    monkeypatch.setitem(alarms._kept, "until", 0.0)
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
    yield
    server.stop()
    alarms._kept["until"] = 0.0


def test_alarms_and_links_of_a_deployed_stack(browser: Browser, url: str, raised_alarm: None) -> None:
    """What is raised stands there with what it means, and a request id leads to Logs Insights."""
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


def test_causes_stand_before_what_follows_from_them(browser: Browser, url: str) -> None:
    """The cause is first however rare it is, with its request id and where to look; the rest is folded below it."""
    for _ in range(5):
        app_logger.error("calls are not made", error_type="CircuitOpenError")
    app_logger.error("connection refused", error_type="DatabaseDownError", request_id="req-of-the-cause")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelector('#errors tbody tr')")
    first = browser.evaluate("document.querySelector('#errors tbody tr').textContent")
    assert "DatabaseDownError" in first
    assert "req-of-the-cause" in first
    assert "calls are not made" not in browser.text()
    assert "5 that follow from these" in browser.text()
    assert "studysync_all.log" in browser.text()
    browser.click("#errors summary")
    browser.wait_for("document.body.innerText.includes('calls are not made')")
    browser.evaluate("refresh()")
    assert "calls are not made" in browser.text(), "what was unfolded stays so"


def test_only_consequences_are_shown_as_they_are(browser: Browser, url: str) -> None:
    """Where no cause is known nothing is folded away."""
    app_logger.error("calls are not made", error_type="CircuitOpenError")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.body.innerText.includes('calls are not made')")


def test_the_tab_says_the_state_and_focus_stays(browser: Browser, url: str) -> None:
    """The title changes with the state; a refresh leaves the keyboard where it was."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.title.startsWith('healthy') || document.title.startsWith('degraded')")
    for selector in ("[aria-label='Open circuit auth']", "[data-order=clear-cache]"):
        browser.evaluate(f"document.querySelector({selector!r}).focus()")
        before = browser.evaluate("document.querySelector('#circuits').firstChild")
        browser.evaluate("(async () => { window.old = document.querySelector('.circuit'); await refresh() })()")
        assert browser.evaluate("!window.old.isConnected"), before
        assert browser.evaluate(f"document.activeElement === document.querySelector({selector!r})"), selector


def test_tables_are_sorted_by_their_columns(browser: Browser, url: str) -> None:
    """By number, not by how it is written; the other way round at the second time; and a refresh keeps it."""
    for name, seconds in (("GET /api/b", 2.0), ("GET /api/c", 0.3), ("GET /api/a", 0.009)):
        performance_monitor.record(name, seconds)
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelectorAll('#endpoints tbody tr').length >= 3")
    names = "[...document.querySelectorAll('#endpoints tbody code')].map(e => e.textContent)"

    def order(head: str) -> list[str]:
        buttons = "[...document.querySelectorAll('#endpoints th button')]"
        browser.evaluate(f"{buttons}.find(e => e.textContent.startsWith({head!r})).click()")
        return [name[-1] for name in browser.evaluate(names)]

    assert [order("p99"), order("p99")] == [["b", "c", "a"], ["a", "c", "b"]]
    browser.evaluate("refresh()")
    assert [name[-1] for name in browser.evaluate(names)] == ["a", "c", "b"]
    assert browser.evaluate("document.querySelector('#endpoints [aria-sort=ascending]').textContent").startswith("p99")
    assert order("endpoint") == ["a", "b", "c"]
    assert browser.complaints == []


def test_slow_requests_are_not_the_pages_own(browser: Browser, url: str) -> None:
    """What operators ask is not what they look for; each of the others has its id."""
    performance_monitor.record("GET /health/detailed", 3.0)
    performance_monitor.record("GET /api/spaces", 2.0)
    performance_monitor.record("GET /api/users", 1.5, detail="request-of-somebody")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelector('#slow tbody tr')")
    shown = browser.evaluate("document.querySelector('#slow').textContent")
    assert (shown.count("GET "), "request-of-somebody" in shown) == (2, True)


def test_a_silent_answer_is_said(browser: Browser, url: str, backends: Backends) -> None:
    """After the time of one answer the page no longer says that it is connecting."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for(DONE)
    browser.evaluate("window.fetch = () => new Promise(() => {}); status('', 'connecting'); refresh(); 0")
    browser.wait_for("document.querySelector('#status').textContent == 'no answer yet'")
    assert browser.evaluate("document.title").startswith("no answer yet")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing(
    browser: Browser, url: str, axe: str, dark: bool, width: int, long_outage: float, raised_alarm: None
) -> None:
    """Names, roles, order and contrast of both pages, with everything on them that there can be."""
    make_traffic()
    app_logger.error("calls are not made", error_type="CircuitOpenError")
    app_logger.error("connection refused", error_type="DatabaseDownError")
    for path, ready in (
        ("/health/dashboard", "document.querySelector('.h-open')"),
        ("/api/docs#/sync/syncOffline", "document.querySelector('.is-open .responses-table')"),
    ):
        browser.open(f"{url}{path}", width=width, dark=dark)
        browser.wait_for(ready)
        if path == "/health/dashboard":
            browser.click("#show-environments")
            browser.wait_for("document.querySelector('#environments tbody tr')")
        browser.evaluate("document.querySelectorAll('details').forEach((each, n) => { if (n < 5) each.open = true })")
        browser.evaluate(axe + ";0")
        found = browser.evaluate(VIOLATIONS)
        assert found == [], json.dumps([path, found], indent=1)


def test_what_scrolls_sideways_says_so(browser: Browser, url: str) -> None:
    """On a phone nothing hides behind an edge that looks like the end."""
    make_traffic()
    browser.open(f"{url}/health/dashboard", width=390)
    browser.wait_for("document.querySelector('#endpoints tbody tr')")
    scrolling = (
        "[...document.querySelectorAll('*')].filter(e => e.scrollWidth > e.clientWidth + 1"
        " && ['auto', 'scroll'].includes(getComputedStyle(e).overflowX))"
    )
    assert browser.evaluate(f"{scrolling}.length") > 0
    assert browser.evaluate(f"{scrolling}.every(e => e.classList.contains('more') && e.tabIndex == 0)")


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
    browser.open(f"{url}/health/dashboard#token=wrong")
    browser.wait_for("!document.querySelector('#login').hidden && !location.hash")


OPERATION = "document.querySelector('#operations-users-getOwnProfile')"


def test_the_docs_show_every_operation(browser: Browser, url: str) -> None:
    """All paths of the document, their nested fields and examples, and nothing from elsewhere."""
    browser.open(f"{url}/api/docs")
    browser.wait_for("document.querySelectorAll('.opblock-tag-section').length > 5")
    browser.evaluate(
        "document.querySelectorAll('.opblock-tag-section:not(.is-open) .opblock-tag').forEach(e => e.click())"
    )
    operations = sum(len(methods) for methods in openapi()["paths"].values())
    browser.wait_for(f"document.querySelectorAll('.opblock').length == {operations}")
    browser.evaluate("document.querySelector('#operations-sync-syncOffline .opblock-summary-control').click()")
    browser.wait_for("document.querySelector('#operations-sync-syncOffline textarea').value.includes('event_payload')")
    picture(browser, "docs")
    outside = "performance.getEntriesByType('resource').filter(e => !e.name.startsWith(location.origin)).length"
    assert browser.evaluate(outside) == 0
    assert browser.complaints == []


def test_the_docs_try_a_call_with_a_token(browser: Browser, url: str) -> None:
    """Whoever pastes an access token gets the real answer on the page."""
    token = register(browser, url)
    browser.open(f"{url}/api/docs#/users/getOwnProfile")
    browser.wait_for(f"{OPERATION}.classList.contains('is-open')")  # the link leads to the operation
    browser.click(".auth-wrapper .authorize")
    browser.wait_for("document.querySelector('#auth-bearer-value')")
    browser.evaluate("document.querySelector('#auth-bearer-value').focus()")
    browser.send("Input.insertText", text=token)
    browser.click(".auth-container .auth-btn-wrapper .authorize")
    browser.wait_for("document.querySelector('.auth-container .auth-btn-wrapper').textContent.includes('Logout')")
    browser.click(".btn-done")
    browser.evaluate(f"{OPERATION}.querySelector('.execute').click()")
    browser.wait_for(f"{OPERATION}.querySelector('.live-responses-table')?.textContent.includes('daily_goal_minutes')")
    picture(browser, "docs-tried")


def test_the_docs_are_readable_on_a_phone(browser: Browser, url: str) -> None:
    """At 390 pixels nothing sticks out sideways, with an operation open."""
    browser.open(f"{url}/api/docs#/sync/syncOffline", width=390)
    browser.wait_for("document.querySelector('#operations-sync-syncOffline').classList.contains('is-open')")
    browser.wait_for("document.querySelector('#operations-sync-syncOffline .responses-table')")
    picture(browser, "docs-phone")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390


def register(browser: Browser, url: str) -> str:
    """Make an account from the page, and return its access token."""
    browser.open(f"{url}/api/docs")
    browser.wait_for("document.querySelector('h1')")
    name = f"d_{uuid.uuid4().hex[:12]}"
    body = json.dumps({"username": name, "email": f"{name}@example.test", "password": "correct horse 1"})
    options = f"{{method: 'POST', body: {json.dumps(body)}, headers: {{'Content-Type': 'application/json'}}}}"
    asked = f"fetch('/api/auth/register', {options}).then(answer => answer.json())"
    return str(browser.evaluate(f"{asked}.then(answer => answer.data.token)"))
