"""Workflows pin what they run, because a repository's new owner can move its tags."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.unit.deploy.conftest import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def _jobs(name: str) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / name).read_text(encoding="utf-8"))["jobs"]
    return jobs


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_and_programs_are_pinned(path: Any) -> None:
    """Actions are pinned by commit, with the version in a comment, and npm programs by their full version."""
    text = path.read_text(encoding="utf-8")
    for line in (line for line in text.splitlines() if "uses:" in line):
        assert re.search(r"uses: (\./\S+|[\w-]+(/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+\b.*)$", line), line
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in re.findall(r"npx --yes [\w-]+@(\S+)", text))


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_is_made_is_a_target(path: Any) -> None:
    """Every `make` in a workflow names an existing target."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"run: make ([\w./-]+)", path.read_text(encoding="utf-8")):
        assert f"\n{target}:" in makefile.replace("$(SAM_VENV)", ".venv-sam"), target


def test_one_build_of_a_checked_tag_goes_to_staging_and_then_to_prod() -> None:
    """One build after the checks; database changes need reviewers; AWS access uses OIDC."""
    jobs = _jobs("deploy.yml")
    assert jobs["check"]["uses"] == "./.github/workflows/ci.yml"
    assert (jobs["build"]["needs"], jobs["staging"]["needs"], jobs["prod"]["needs"]) == ("check", "build", "staging")
    deploying = _jobs("deploy-to.yml")
    assert deploying["deploy"]["needs"] == "database"
    assert deploying["database"]["environment"].endswith("-database")
    assert deploying["deploy"]["permissions"] == {"contents": "read", "id-token": "write"}
    text = (ROOT / ".github" / "workflows" / "deploy-to.yml").read_text(encoding="utf-8")
    assert "make package" not in text
    assert "role-to-assume" in text
    assert "aws-access-key-id" not in text
