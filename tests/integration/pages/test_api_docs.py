"""The API reference in a real browser, over the real API."""

from __future__ import annotations

from testing.browser import Browser
from testing.client import openapi
from tests.integration.pages.browsing import MARKS, picture, register

pytestmark = MARKS
OPERATION = "document.querySelector('#operations-users-getOwnProfile')"


def test_the_docs_show_every_operation(browser: Browser, url: str) -> None:
    """The page shows all paths of the document, their nested fields and examples, and loads nothing external."""
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
    """With a pasted access token the page shows the real answer."""
    token = register(browser, url)
    browser.open(f"{url}/api/docs?from=a-link#/users/getOwnProfile")
    browser.wait_for(f"{OPERATION}.classList.contains('is-open')")  # the link opens the operation
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
    """At 390 pixels nothing overflows horizontally, with an operation open."""
    browser.open(f"{url}/api/docs?phone#/sync/syncOffline", width=390)
    browser.wait_for("document.querySelector('#operations-sync-syncOffline').classList.contains('is-open')")
    browser.wait_for("document.querySelector('#operations-sync-syncOffline .responses-table')")
    picture(browser, "docs-phone")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 390
    widths = "[...document.querySelectorAll('.is-open td')].map(cell => cell.getBoundingClientRect().width)"
    assert browser.evaluate(f"{widths}.filter(width => width > 0 && width < 100)") == []  # hidden ones have no width
