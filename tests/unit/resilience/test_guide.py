"""The guide's examples work as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import resilience

GUIDE = Path(__file__).parents[3] / "docs" / "resilience.md"
EXAMPLES = [
    (section.partition("\n")[0], code)
    for section in GUIDE.read_text().split("\n## ")[1:]
    for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
]


def test_the_guide_has_an_example_for_each_part() -> None:
    """No part is only described."""
    assert len(EXAMPLES) >= 11


@pytest.mark.parametrize("code", [code for _, code in EXAMPLES], ids=[title for title, _ in EXAMPLES])
def test_the_example_runs(code: str) -> None:
    """What a reader copies works, assertions included."""
    resilience.cache_manager.clear()
    before = resilience.cache_manager.counters
    resilience.health_checker._checks.clear()
    resilience.cache_manager.counters = type(before)()
    exec(compile(code, str(GUIDE), "exec"), {"__name__": "guide"})
