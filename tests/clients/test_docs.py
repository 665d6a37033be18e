"""The examples in docs/clients.md and on the packages' pages run as printed, apart from address and user name."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from tests.clients.conftest import Site
from tools import clients

PAGES = [clients.ROOT / "docs" / "clients.md", clients.PYTHON / "README.md"]


def example(page: Path, language: str, url: str) -> str:
    """Return the first example in a language, for this site and a new user."""
    found = re.search(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    code = found[1].replace("http://localhost:8000", url)
    assert len(code.strip().splitlines()) <= 11
    return code.replace("ada_l", f"d_{uuid.uuid4().hex[:12]}").replace("ada@", f"{uuid.uuid4().hex[:12]}@")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_python_example_runs(site: Site, page: Path) -> None:
    """The example prints the session's XP."""
    python = clients.VENV / "bin" / "python"
    if not python.exists():
        pytest.skip("no environment to run it in: make clients")
    said = site.run(python, "-c", example(page, "python", site.url), PYTHONPATH=str(clients.PYTHON))
    assert said == "1\n"


def test_the_typescript_example_runs(site: Site, node: str, package: Path) -> None:
    """The example prints the session's XP and the student's total."""
    code = example(PAGES[0], "ts", site.url).replace('"@studysync/client"', f'"{package}/dist/index.js"')
    assert site.run(node, "--input-type=module", "--eval", code) == "1\n1\n"
