"""Shared helpers of the page tests: marks, screenshots, and steps through the pages."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path

import pytest

from resilience import performance_monitor
from testing.browser import PROGRAM, Browser

MARKS = [
    pytest.mark.own_servers,
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine: apt-get install chromium"),
]

PICTURES = os.environ.get("STUDYSYNC_PICTURES")
"""A folder to keep pictures of the pages in, for people; unset: none are taken."""
VIOLATIONS = """axe.run().then(found => found.violations.map(rule =>
  [rule.id, rule.nodes.slice(0, 3).map(node => node.html.slice(0, 120) + ' ' + node.failureSummary)]))"""
DONE = "document.querySelector('#status').textContent != 'connecting'"


def open_link(browser: Browser, url: str, token: str) -> None:
    browser.open(f"{url}/health/dashboard#token={token}")
    browser.wait_for("sessionStorage.length == 1 && !location.hash")


def picture(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.screenshot(Path(PICTURES) / f"{name}.png")


def make_traffic() -> None:
    """Fill the last minutes with the traffic of a typical afternoon."""
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


def register(browser: Browser, url: str) -> str:
    """Register on the page, and return the access token."""
    browser.open(f"{url}/api/docs")
    browser.wait_for("document.querySelector('h1')")
    name = f"d_{uuid.uuid4().hex[:12]}"
    body = json.dumps({"username": name, "email": f"{name}@example.test", "password": "correct horse 1"})
    options = f"{{method: 'POST', body: {json.dumps(body)}, headers: {{'Content-Type': 'application/json'}}}}"
    asked = f"fetch('/api/auth/register', {options}).then(answer => answer.json())"
    return str(browser.evaluate(f"{asked}.then(answer => answer.data.token)"))
