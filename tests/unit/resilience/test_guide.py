"""The guide's examples work as printed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import resilience
from testing.examples import DOCS, examples, run

EXAMPLES = examples("resilience.md")


def test_the_guide_has_an_example_for_each_part() -> None:
    """Every part of the package has an example."""
    assert len(EXAMPLES) >= 11


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_runs(code: Any) -> None:
    """Every example runs as printed, including its assertions."""
    run(code)


def test_the_examples_are_well_typed(tmp_path: Path) -> None:
    """Mypy finds no error in the examples."""
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / "resilience.md").read_text(encoding="utf-8"), re.DOTALL)
    for number, block in enumerate(blocks):
        (tmp_path / f"example_{number}.py").write_text(block)
    options = ["--check-untyped-defs", "--cache-dir", str(tmp_path / "cache"), "--scripts-are-modules"]
    command = [sys.executable, "-m", "mypy", *options, *map(str, sorted(tmp_path.glob("*.py")))]
    environment = os.environ | {"MYPYPATH": str(Path(resilience.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
