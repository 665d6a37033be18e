"""Unmodified supabase-js against the local project, in Node and in Chromium, with new keys and legacy ones."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from local.backends import Backends
from testing import mailbox
from testing.browser import PROGRAM, Browser
from testing.client import Api, Student

PACKAGE = Path(__file__).parents[1] / "supabase_js"
_FIRST_WITH_WEB_SOCKETS = 22


class _Site(http.server.SimpleHTTPRequestHandler):
    """The package's files, and the tokens in mails, because a page may not read the mailbox itself."""

    def __init__(self, *arguments: Any, folder: Path, **options: Any) -> None:
        self._folder = folder
        super().__init__(*arguments, directory=str(PACKAGE), **options)

    def do_GET(self) -> None:
        asked = urlsplit(self.path)
        if asked.path != "/token":
            super().do_GET()
            return
        found = mailbox.token(self._folder, parse_qs(asked.query)["to"][0]).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def node() -> str:
    """The Node program, with the package installed."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("no node and npm on this machine: apt-get install nodejs npm")
    installed, lock = PACKAGE / "node_modules" / ".package-lock.json", PACKAGE / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(command, cwd=PACKAGE, check=True)
    return found


@pytest.fixture(scope="module")
def site(backends: Backends) -> Iterator[str]:
    """The package over HTTP, at another origin than the project's."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(_Site, folder=backends.project.mailbox))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def given(backends: Backends, student: Student, site: str, *, legacy: bool) -> str:
    keys = backends.keys
    return json.dumps(
        {
            "url": backends.project.url,
            "publishableKey": keys.anon_key if legacy else keys.publishable_key,
            "secretKey": keys.service_role_key if legacy else keys.secret_keys[0],
            "email": student.email,
            "password": student.password,
            "newPassword": "battery staple 2",
            "site": site,
        }
    )


@pytest.mark.parametrize("legacy", [False, True], ids=["new keys", "old keys"])
def test_supabase_js_in_node(backends: Backends, api: Api, node: str, site: str, legacy: bool) -> None:
    """Signing in and out, refreshing, changing and resetting the password, and administering work in Node."""
    major = int(
        subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout[1:].split(".")[0]
    )
    flags = [] if major >= _FIRST_WITH_WEB_SOCKETS else ["--experimental-websocket"]
    command = [node, *flags, "node.mjs", given(backends, api.student(), site, legacy=legacy)]
    ran = subprocess.run(command, cwd=PACKAGE, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine: apt-get install chromium")
def test_supabase_js_in_a_browser(backends: Backends, api: Api, node: str, site: str, tmp_path: Path) -> None:
    """The same works from a page of another origin, where a secret key is refused."""
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{site}/page.html")
        browser.wait_for("window.run !== undefined")
        assert browser.evaluate(f"window.run({given(backends, api.student(), site, legacy=False)})") == "done"
