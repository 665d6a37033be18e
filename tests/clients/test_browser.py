"""The TypeScript client in Chromium: IndexedDB, Web Locks and a lost network. Skipped without Chromium."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from testing.browser import PROGRAM, Browser
from tests.clients.conftest import Site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine: apt-get install chromium"),
]

OFFLINE = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}


@pytest.fixture(scope="module")
def tab(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser tab with the client's page."""
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        browser.send("Network.enable")
        yield browser


@pytest.fixture
def account(tab: Browser, site: Site) -> str:
    """A new account, signed in on the page, in its own client database; returns the database's name."""
    name = f"b_{uuid.uuid4().hex[:16]}"
    open_page(tab, site, name)
    credentials = {"username": name, "email": f"{name}@example.test", "password": "correct horse 1"}
    tab.evaluate(f"study.accounts.register({json.dumps(credentials)}).then(() => 0)")
    return name


def open_page(tab: Browser, site: Site, name: str) -> None:
    tab.open(f"{site.url}/client/test/page.html?{uuid.uuid4()}")
    tab.wait_for("window.study")
    tab.evaluate(f"open_({json.dumps(name)})")


def set_offline(tab: Browser, offline: bool) -> None:
    tab.send("Network.emulateNetworkConditions", offline=offline, **OFFLINE)


SESSION = """(async () => {
  const at = (minutes) => new Date(Date.now() - 60000 * minutes);
  window.session = await study.start({ duration_minutes: 25 }, at(MINUTES));
  await study.record(session, "heartbeat", at(MINUTES - 4));
  await study.complete(session, { efficiency: 90 }, at(MINUTES - 8));
  return session;
})()"""


def record(tab: Browser, minutes: int = 60) -> str:
    """Record a session of eight minutes that began `minutes` ago; returns its id."""
    return str(tab.evaluate(SESSION.replace("MINUTES", str(minutes))))


def total(tab: Browser) -> Any:
    return tab.evaluate("study.api.get('/api/users/me').then(answer => answer.data.xp)")


def test_a_page_that_dies_offline_loses_nothing(tab: Browser, site: Site, account: str) -> None:
    """What was recorded offline stays in IndexedDB after the page closes, and the next page sends it."""
    set_offline(tab, True)
    session = record(tab)
    assert tab.evaluate("study.sync().then(result => result.state)") == "later"
    set_offline(tab, False)
    open_page(tab, site, account)
    assert tab.evaluate("study.queue.pending().then(waiting => waiting.length)") == 3
    assert tab.evaluate("study.sync().then(result => result.sent)") == 3
    outcome = tab.evaluate(f"study.queue.outcome('{session}')")
    assert outcome["xp_awarded"] == total(tab) == 8


def test_it_syncs_by_itself_when_the_network_is_back(tab: Browser, account: str) -> None:
    """The browser's online event starts a sync in the background."""
    set_offline(tab, True)
    tab.evaluate("study.run()")
    session = record(tab)
    tab.evaluate("new Promise(resolve => setTimeout(resolve, 300))")  # a first attempt fails before that
    set_offline(tab, False)
    tab.evaluate(f"(async () => {{ while (!await study.queue.outcome('{session}')) await 0 }})()")
    tab.evaluate("study.stop()")
    assert total(tab) == 8


def test_two_tabs_send_and_refresh_once(tab: Browser, site: Site, account: str) -> None:
    """Two tabs flush with an expired token: one refresh, and every event is sent once."""
    record(tab)
    frame = f"""new Promise(resolve => {{
      const other = document.createElement('iframe');
      other.src = location.href;
      document.body.append(other);
      const look = () => (window.other = other.contentWindow).study ? resolve(0) : setTimeout(look);
      look();
    }}).then(() => other.open_({json.dumps(account)}))"""
    tab.evaluate(frame)
    tab.evaluate(
        """(async () => {
      const account = await study.accounts.current();
      await study.accounts.adopt({ ...account, expires_at: new Date().toISOString() });
    })()"""
    )
    site.asked.clear()
    work = "[study, other.study].flatMap(each => [each.sync(), each.api.get('/api/users/me'), each.sync()])"
    states = tab.evaluate(f"Promise.all({work}).then(done => done.map(each => each.state ?? 'read'))")
    assert states == ["done", "read", "done"] * 2
    assert site.asked.count("POST /api/auth/refresh") == 1
    assert site.asked.count("POST /api/sync/offline") == 1
    assert total(tab) == 8


def test_a_database_that_goes_away_is_opened_again(tab: Browser, account: str) -> None:
    """When the browser closes the connection it is reopened; a write that fails leaves nothing behind."""
    tab.evaluate("study.queue.storage.close()")
    record(tab)
    broken = """study.queue.storage.write([{ key: 'half', value: 1 }, { key: 'never', value: () => 0 }])
      .then(() => 'kept', () => study.queue.storage.get('half').then(value => value ?? 'nothing'))"""
    assert tab.evaluate(broken) == "nothing"
    assert tab.evaluate("study.sync().then(result => result.sent)") == 3
