"""Runs the Python examples of the Markdown docs, so that what readers copy is tested."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import resilience

DOCS = Path(__file__).parents[1] / "docs"


def examples(name: str) -> list[Any]:
    """Return the Python blocks of a page in docs/ as pytest parameters, each named after its section."""
    sections = (DOCS / name).read_text(encoding="utf-8").split("\n## ")[1:]
    return [
        pytest.param(compile(code, name, "exec"), id=section.partition("\n")[0])
        for section in sections
        for code in re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    ]


def run(code: Any) -> None:
    """Run an example as if in a new process: with an empty cache, no measurements, fallbacks or health checks."""
    resilience.cache_manager.clear()
    resilience.cache_manager.counters = type(resilience.cache_manager.counters)()
    resilience.performance_monitor.reset()
    for key in resilience.fallback_handler.registered():
        resilience.fallback_handler.unregister_fallback(key)
    checks = dict(resilience.health_checker._checks)
    resilience.health_checker._checks.clear()
    try:
        exec(code, {"__name__": "example"})
    finally:
        resilience.health_checker._checks.clear()
        resilience.health_checker._checks.update(checks)
