"""`make` before our own code runs: its messages, what it installs, and what it deletes."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from local.stack_directory import REPOSITORY

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make on this machine")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, in a folder with a space in its name."""
    clone = tmp_path / "study sync"
    clone.mkdir()
    shutil.copy(REPOSITORY / "Makefile", clone)
    shutil.copytree(REPOSITORY / "requirements", clone / "requirements")
    return clone


def make(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", *arguments], cwd=clone, capture_output=True, text=True, check=False
    )


def test_the_first_start_says_what_it_does(clone: Path) -> None:
    """Each step is announced before it runs, with the size of the installation."""
    planned = make(clone, "--dry-run", "serve").stdout
    steps = re.findall(r'^echo "((?:First run only: )?\d\. .*?)"$', planned, re.MULTILINE)
    assert len(steps) == 3
    assert [step.removeprefix("First run only: ")[0] for step in steps] == ["1", "2", "3"]
    assert planned.index(steps[0]) < planned.index("-m venv") < planned.index(steps[1]) < planned.index(steps[2])


def test_the_second_start_installs_nothing(clone: Path) -> None:
    """The second start needs no network, because everything is installed."""
    (clone / ".venv").mkdir()
    (clone / ".venv" / "local.stamp").touch()
    assert make(clone, "--dry-run", "serve").stdout.splitlines() == ["exec .venv/bin/python -m local serve"]


def test_another_python_is_refused_in_one_line(clone: Path) -> None:
    """It is refused before anything is created, with what to do."""
    python = clone / "python"
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    done = make(clone, "serve", "PYTHON=./python")
    assert done.returncode != 0
    assert done.stdout.splitlines() == ["StudySync needs Python 3.11 to 3.14; set PYTHON=/path/to/one"]
    assert not (clone / ".venv").exists()


def test_the_same_pythons_are_named_everywhere() -> None:
    """The guard, the package, the workflow and the README name the same Python versions."""
    guard = re.search(r"\(3, (\d+)\) <= sys.version_info\[:2\] <= \(3, (\d+)\)", (REPOSITORY / "Makefile").read_text())
    assert guard is not None
    first, last = int(guard[1]), int(guard[2])
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["requires-python"] == f">=3.{first},<3.{last + 1}"
    versions = [f"3.{minor}" for minor in range(first, last + 1)]
    workflow = (REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert f"python: {json.dumps(versions)}" in workflow
    for page in ("README.md", "docs/deploy.md"):
        said = (REPOSITORY / page).read_text(encoding="utf-8")
        assert (
            f"Python {versions[0]} to {versions[-1]}" in said or f"{', '.join(versions[:-1])} or {versions[-1]}" in said
        )


def test_clean_keeps_downloads_and_distclean_does_not(clone: Path) -> None:
    """Clean deletes build output and data, and neither target touches other files."""
    kept = [clone / ".local" / "cache" / "postgrest", clone / ".venv" / "bin" / "python", clone / ".venv-sam" / "sam"]
    gone = [clone / ".local" / "data" / "postgres", clone / ".aws-sam" / "build", clone / ".mypy_cache" / "x"]
    mine = clone / "notes"
    for path in (*kept, *gone, mine):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (clone / ".aws-sam" / "build").chmod(0o444)
    assert make(clone, "clean").returncode == 0
    assert [path.exists() for path in (*kept, *gone, mine)] == [True] * 3 + [False] * 3 + [True]
    assert make(clone, "distclean").returncode == 0
    assert [path.name for path in sorted(clone.iterdir())] == ["Makefile", "notes", "requirements"]
    assert make(clone, "clean").returncode == 0  # and again, with nothing left
