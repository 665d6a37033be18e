"""The commands in the README work, in the order in which they are printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.e2e.conftest import Stack

README = Path(__file__).parents[2] / "README.md"


def walk(stack: Stack, name: str) -> str:
    """The commands of the walk, for this user name."""
    blocks = "".join(re.findall(r"```bash\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL))
    return re.sub(r"\bada\b", name, blocks.replace("http://localhost:8000", stack.facts["url"]))


def typed(script: str, *, proxy: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-eu"],
        input=f"TOKEN=\n{script}",
        env={**os.environ, "http_proxy": proxy, "no_proxy": "", "NO_PROXY": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def name() -> str:
    """A new user name, because a real project knows the last run's."""
    return f"ada_{uuid.uuid4().hex[:12]}"


def test_the_walk_goes_as_printed(stack: Stack, name: str) -> None:
    """Every request succeeds, and sending the last one twice changes nothing.

    This also works with a configured proxy that does not answer.
    """
    script = walk(stack, name)
    script += script[script.rindex("ask $API/api/sync/offline") :]
    done = typed(script, proxy="http://127.0.0.1:9")
    assert done.returncode == 0, done.stdout + done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == script.count("\nask ")
    assert all(answer["success"] for answer in answers), done.stdout
    assert [answer["data"]["duplicate_count"] for answer in answers[-2:]] == [0, 2]


def test_the_terminal_and_the_walk_tell_one_story(stack: Stack, name: str) -> None:
    """After the terminal's own commands the walk continues: the name is registered already, and the rest works."""
    output = stack.home.parent / "serve.log"
    shown = re.findall(r"^  (curl .*)$", output.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(shown) == 3
    first = typed("\n".join(re.sub(r"\bada\b", name, line) + "; echo" for line in shown))
    assert [json.loads(line)["success"] for line in first.stdout.splitlines()] == [True] * 3
    done = typed(walk(stack, name))
    assert done.returncode == 0, done.stdout + done.stderr
    registered, *rest = [json.loads(line) for line in done.stdout.splitlines()]
    assert registered["error_code"] == "USER_ALREADY_EXISTS"
    assert all(answer["success"] for answer in rest), done.stdout


def test_the_walks_helper_says_what_the_api_said(stack: Stack, name: str) -> None:
    """A refusal is one line without a traceback, whatever sent it, and so is no answer at all."""
    script = walk(stack, name)
    helpers = script[: script.index("ask $API/api/auth/register")]
    asked = (
        "ask $API/api/users/me",
        "ask $API/api/nowhere",
        "ask http://localhost:1/",
        'echo \'{"message": "Not Found"}\'',
    )
    for command, said in zip(asked, ("AUTHENTICATION_ERROR", "NOT_FOUND", "nothing", "Not Found"), strict=True):
        done = typed(f"{helpers}{command} | field username")
        assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
        assert done.stderr.startswith("The API said: ")
        assert said in done.stderr


def test_the_root_leads_to_the_pages(stack: Stack) -> None:
    """The root redirects to the docs, which link to the dashboard; HEAD is redirected too."""
    with stack.client() as client:
        for method in ("GET", "HEAD"):
            answer = client.request(method, "/")
            assert (answer.status_code, answer.headers["location"]) == (302, "/api/docs")
        assert 'href="/health/dashboard"' in client.get("/api/docs").text
