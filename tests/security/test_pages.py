"""The two pages, and how they handle other users' text."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.backends import Backends
from studysync.telemetry.error_tracker import error_tracker
from studysync.telemetry.logging import app_logger
from testing.browser import PROGRAM, Browser
from testing.client import Api, Student
from testing.served import served

PAGES = ("/health/dashboard", "/api/docs")
SCRIPTS = sorted(Path(__file__).parents[2].glob("functions/health/operations/pages/*.js"))
HTML = "<img src=x onerror=alert(1)><script>document.title='owned'</script>"


@pytest.mark.parametrize("path", PAGES)
def test_only_the_pages_own_script_runs(api: Api, path: str) -> None:
    """The policy names one script and one style by their hashes, and lets nothing else in."""
    response = api.get(path)
    policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    (script,) = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == f"'sha256-{digest}'"
    assert not re.search(r"unsafe|\*|https?:", response.headers["content-security-policy"])
    assert not re.search(r"<[^>]+\son\w+\s*=", response.text.replace(script, "")), "an inline handler"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_no_html_of_text(script: Path) -> None:
    """API data is set as text only: the scripts use nothing that would interpret it as markup or code."""
    text = script.read_text(encoding="utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(", "srcdoc"):
        assert way not in text
    assert "textContent" in text or "createTextNode" in text or ".append(" in text


@pytest.mark.parametrize("path", PAGES)
def test_pages_repeat_nothing_of_the_request(api: Api, path: str) -> None:
    """Neither parameters nor headers become part of a page."""
    plain = api.get(path).text
    assert api.get(path, params={"q": HTML, "token": HTML}, headers={"User-Agent": HTML, "Referer": HTML}).text == plain


def test_html_in_names_stays_data(api: Api, student: Student) -> None:
    """Names may contain markup; the JSON escapes it, so no browser interprets it as a page."""
    name = HTML[:80]
    student.patch("/api/users/me", {"display_name": name})
    for path in (f"/api/users/{student.user_id}", f"/api/users?query={student.username}"):
        response = api.student().get(path)
        assert name in str(response.json())
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-security-policy"].startswith("default-src 'none'")


def test_html_in_paths_stays_data(api: Api) -> None:
    """An error repeats the requested path as JSON."""
    response = api.get("/<script>alert(1)</script>")
    assert response.status_code == 404
    assert response.headers["content-type"] == "application/problem+json"


@pytest.fixture
def url(api: Api) -> Iterator[str]:
    """The API over HTTP; these tests must not use `api` at the same time."""
    with served(api) as url:
        yield url


@pytest.mark.skipif(PROGRAM is None, reason="no chromium on this machine: apt-get install chromium")
def test_a_browser_shows_markup_as_text(url: str, tmp_path: Path, backends: Backends) -> None:
    """An error whose type and message are markup is shown on the dashboard as text, and nothing runs."""
    error_tracker.clear_errors()
    app_logger.error(HTML, error_type=HTML)
    try:
        with Browser(tmp_path) as browser:
            browser.open(f"{url}/health/dashboard#token={backends.operator_token}")
            browser.wait_for("document.body.innerText.includes('onerror=alert(1)')")
            assert browser.evaluate("document.querySelectorAll('img[src=x]').length") == 0
            assert browser.evaluate("document.title") != "owned"
            assert browser.complaints == []
    finally:
        error_tracker.clear_errors()
