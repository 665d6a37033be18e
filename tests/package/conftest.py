"""Fixtures over a build for this machine, built first by `make package-test` or `make package-sam-test`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

BUILD = (Path(__file__).parents[2] / os.environ.get("STUDYSYNC_TEMPLATE", ".aws-sam/host/template.yaml")).parent


@pytest.fixture(scope="session")
def build() -> Iterator[Path]:
    """The build; tests must leave no file in it, because on Lambda it is read-only."""
    assert (BUILD / "template.yaml").exists(), "run `make package-test`"
    before = set(BUILD.rglob("*"))
    yield BUILD
    assert set(BUILD.rglob("*")) == before
