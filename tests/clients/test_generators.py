"""Clients that third-party generators make from the OpenAPI document. `make clients` generates them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.backends import Backends
from tests.clients.conftest import Site
from tools import clients

GENERATED = clients.OUT / "python" / "studysync_openapi"


def test_openapi_generators_client_walks_the_whole_api(site: Site, backends: Backends) -> None:
    """Every operation is called, and every answer has its declared type."""
    if not GENERATED.exists():
        pytest.skip("not generated: make clients")
    site.run(
        clients.VENV / "bin" / "python",
        Path(__file__).with_name("walk.py"),
        GENERATED.parent,
        site.url,
        backends.operator_token,
        clients.DOCUMENT,
    )


def test_openapi_typescripts_types_walk_the_whole_api(site: Site, node: str, package: Path) -> None:
    """The API behaves as the types say that tsc has checked."""
    compiler = package / "node_modules" / "typescript" / "bin" / "tsc"
    subprocess.run([node, compiler, "--project", "tsconfig.walk.json"], cwd=package, check=True)
    assert "different requests" in site.run(node, "test/walk.js")
