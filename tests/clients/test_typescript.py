"""The TypeScript client in Node, over the real API. Skipped without Node."""

from __future__ import annotations

import os

import pytest

from tests.clients.conftest import Site

pytestmark = [pytest.mark.own_servers, pytest.mark.slow]

FAULTS = os.environ.get("FAULTS", "1000")


def test_its_parts_and_its_calls(site: Site, node: str) -> None:
    """Every test of the package passes, including those over a running stack."""
    said = site.run(node, "--test", "--test-concurrency=1", "test/unit.test.mjs", "test/stack.test.mjs")
    assert "# fail 0" in said or "fail 0" in said


def test_faults_lose_and_double_nothing(site: Site, node: str) -> None:
    """Two devices survive 1,000 faults, among them three database crashes. FAULTS and SEED set other runs."""
    said = site.run(node, "--test", "test/faults.test.mjs", FAULTS=FAULTS, SEED=os.environ.get("SEED", "1"))
    assert "fail 0" in said
