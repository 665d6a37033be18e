"""The dashboard in a real browser, over the real API: how it behaves, and who has access."""

from __future__ import annotations

import json

import pytest

from local.backends import Backends
from resilience import performance_monitor
from studysync.telemetry.logging import app_logger
from testing.browser import Browser
from testing.outages import reconnect
from tests.integration.pages.browsing import DONE, MARKS, VIOLATIONS, make_traffic, open_link, picture

pytestmark = MARKS


def test_causes_stand_before_what_follows_from_them(browser: Browser, url: str) -> None:
    """The cause is first, however rare, with its request id and a link; its consequences are folded below it."""
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
    """Without a known cause nothing is folded."""
    app_logger.error("calls are not made", error_type="CircuitOpenError")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.body.innerText.includes('calls are not made')")


def test_the_tab_says_the_state_and_focus_stays(browser: Browser, url: str) -> None:
    """The title changes with the state, and a refresh keeps the keyboard focus."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.title.startsWith('healthy') || document.title.startsWith('degraded')")
    for selector in ("[aria-label='Open circuit auth']", "[data-order=clear-cache]"):
        browser.evaluate(f"document.querySelector({selector!r}).focus()")
        before = browser.evaluate("document.querySelector('#circuits').firstChild")
        browser.evaluate("(async () => { window.old = document.querySelector('.circuit'); await refresh() })()")
        assert browser.evaluate("!window.old.isConnected"), before
        assert browser.evaluate(f"document.activeElement === document.querySelector({selector!r})"), selector


def test_tables_are_sorted_by_their_columns(browser: Browser, url: str) -> None:
    """Columns sort by numeric value, a second click reverses the order, and a refresh keeps it."""
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
    """Operator requests are not listed; every other slow request has its id."""
    performance_monitor.record("GET /health/detailed", 3.0)
    performance_monitor.record("GET /api/spaces", 2.0)
    performance_monitor.record("GET /api/users", 1.5, detail="request-of-somebody")
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("document.querySelector('#slow tbody tr')")
    shown = browser.evaluate("document.querySelector('#slow').textContent")
    assert (shown.count("GET "), "request-of-somebody" in shown) == (2, True)


def test_a_silent_answer_is_said(browser: Browser, url: str, backends: Backends) -> None:
    """When an answer is overdue the page no longer shows "connecting"."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for(DONE)
    browser.evaluate("window.fetch = () => new Promise(() => {}); status('', 'connecting'); refresh(); 0")
    browser.wait_for("document.querySelector('#status').textContent == 'no answer yet'")
    assert browser.evaluate("document.title").startswith("no answer yet")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1200, 390])
def test_axe_finds_nothing(
    browser: Browser,
    url: str,
    axe: str,
    dark: bool,
    width: int,
    long_outage: float,
    raised_alarm: None,
    appconfig: object,
) -> None:
    """Names, roles, order and contrast pass on both pages, with every possible element shown."""
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
    """On a phone, content that scrolls sideways is visibly cut off."""
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
    """Without DynamoDB the page says that it shows one environment only."""
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
    """A wrong token is refused with a message, the right one opens the page, and a reload keeps it."""
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
    """The token is in neither the address nor the history, even when the page was open already."""
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


@pytest.mark.usefixtures("appconfig")
def test_an_operator_changes_the_switches(browser: Browser, url: str) -> None:
    """The form shows what is in effect, asks for a reason, and says what operators have set."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("!document.querySelector('#switches').hidden")
    assert browser.evaluate("$('switches-state').textContent") == "Everything is as deployed."
    browser.click("[name=read_only]")
    browser.evaluate("$('switches').closed_routes.value = 'POST /api/spaces/create'")
    browser.click("#switches button")
    assert not browser.evaluate("$('confirm').open"), "without a reason nothing is asked"
    browser.evaluate("$('switches').reason.value = 'the database moves'")
    browser.click("#switches button")
    browser.click("#confirm [value=yes]")
    browser.wait_for("$('switches-state').textContent == 'Set by operators: closed routes, read only.'")
    assert browser.evaluate("$('switches').read_only.checked")
    picture(browser, "switches")
    browser.evaluate(
        "$('switches').closed_routes.value = 'POST /api/unheard-of'; $('switches').reason.value = 'a slip'"
    )
    browser.click("#switches button")
    browser.click("#confirm [value=yes]")
    browser.wait_for("$('notice').textContent == 'There is no route POST /api/unheard-of.'")
    assert browser.evaluate("$('switches').closed_routes.value") == "POST /api/unheard-of", "what was typed stays"
    assert [each for each in browser.complaints if "400" not in each] == []


def test_without_appconfig_the_page_says_so(browser: Browser, url: str) -> None:
    """As on the local stack."""
    browser.open(f"{url}/health/dashboard")
    browser.wait_for("$('switches-state').textContent.startsWith('AWS AppConfig is not available here')")
    assert browser.evaluate("$('switches').hidden")
