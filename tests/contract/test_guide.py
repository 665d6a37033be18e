"""The examples in docs/guide.md run over the real database, and the paths it mentions exist."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import Any

import pytest

import resilience
from local.backends import Backends
from testing.client import openapi
from testing.examples import DOCS, examples, run
from testing.outages import reconnect


@pytest.fixture
def like_a_program(backends: Backends) -> Iterator[None]:
    """Each example starts without an event loop, has its own store, and leaves no trace."""
    reconnect()  # closes the store of earlier tests
    resilience.configure(store=resilience.MemoryStore())
    yield
    resilience.configure()
    asyncio.set_event_loop(None)


@pytest.mark.usefixtures("like_a_program")
@pytest.mark.parametrize("code", examples("guide.md"))
def test_the_example_runs(code: Any) -> None:
    """Every example runs as printed, including its assertions."""
    run(code)


@pytest.mark.parametrize("page", sorted(path.name for path in DOCS.glob("*.md")))
def test_every_endpoint_named_is_in_the_document(page: str) -> None:
    """The guide mentions only paths that the API has."""
    paths = openapi()["paths"]
    text = (DOCS / page).read_text(encoding="utf-8")
    named = re.findall(r"`(GET|POST|PATCH|DELETE) (/(?:api|health)[^`?\s]*)", text)
    unknown = [f"{method} {path}" for method, path in named if not _known(paths, method.lower(), path.rstrip("/"))]
    assert unknown == []


def _known(paths: dict[str, Any], method: str, path: str) -> bool:
    shape = re.compile(r"\{[^}]+\}")
    wanted = "/".join(shape.sub("{}", part) for part in path.split("/"))
    return any(shape.sub("{}", known) == wanted and method in methods for known, methods in paths.items()) or (
        "..." in path or path.endswith("/me") or "/me/" in path
    )
