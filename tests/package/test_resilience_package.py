"""The resilience layer as a package of its own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

LAYER = Path(__file__).parents[2] / "layers" / "resilience"
USE = """
from importlib.metadata import version
import resilience
assert version("studysync-resilience") == "1.0.0"
from importlib.resources import files
assert (files("resilience") / "py.typed").is_file()
assert resilience.circuit_breaker(name="x")(lambda: 42)() == 42
"""


@pytest.mark.package
def test_it_installs_into_an_empty_environment(tmp_path: Path) -> None:
    """Pip builds and installs it with its dependencies, and it works outside this repository."""
    source = shutil.copytree(LAYER, tmp_path / "source", ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    python = tmp_path / "environment" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", source], check=True, env={})
    subprocess.run([python, "-c", USE], check=True, cwd=tmp_path, env={})
