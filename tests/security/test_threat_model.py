"""SECURITY.md: every threat has a test, and every test file of this folder is listed there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| threat"))
]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_every_threat_is_tried(row: list[str]) -> None:
    """Each row says what prevents the threat, and names existing tests."""
    assert len(row) == 3
    assert row[1]
    named = _TEST.findall(row[2])
    assert named
    for path, function in named:
        assert (ROOT / path).exists(), path
        assert f"def {function}" in (ROOT / path).read_text(encoding="utf-8"), (path, function)


def test_every_attack_is_in_the_table() -> None:
    """Every test file of this folder is named in a row."""
    named = {path for row in ROWS for path, _ in _TEST.findall(row[2])}
    files = {str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("test_*.py")}
    assert files - named == {"tests/security/test_threat_model.py"}


def test_events_that_operators_watch_are_logged() -> None:
    """Every security event that operators are asked to watch is logged under that name in the sources."""
    (watched,) = re.findall(r"\*\*Watch\*\*.*?(?=\n- )", TEXT, re.DOTALL)
    names = re.findall(r"`(\w+)`", watched)
    assert len(names) >= 4
    folders = ("functions", "layers/core")
    sources = "".join(path.read_text(encoding="utf-8") for each in folders for path in (ROOT / each).rglob("*.py"))
    for name in names:
        assert f'"{name}"' in sources
