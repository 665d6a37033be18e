"""The dependency audit separates what it could not look up from what has no findings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.stack_directory import REPOSITORY
from tools import audit

GOOD = {"name": "httpx", "version": "0.28.1", "vulns": []}
BAD = {"name": "jinja2", "version": "2.4.1", "vulns": [{"id": "PYSEC-2014-8", "fix_versions": ["2.7.2"]}]}
SKIPPED = {"name": "ours", "skip_reason": "not found on PyPI"}


def output(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


@pytest.mark.parametrize(
    ("told", "status", "words"),
    [
        (output(GOOD), audit.CLEAN, "no known vulnerabilities in 1 packages"),
        (output(GOOD, BAD), audit.VULNERABLE, "jinja2 2.4.1: PYSEC-2014-8, fixed in 2.7.2"),
        (output(GOOD, SKIPPED), audit.UNKNOWN, "NOT AUDITED"),
        (output(BAD, SKIPPED), audit.VULNERABLE, "ours: not found"),
        (output(), audit.UNKNOWN, "NOT AUDITED"),
        ("", audit.UNKNOWN, "Failed to resolve 'api.osv.dev'"),
        ("no json", audit.UNKNOWN, "NOT AUDITED"),
    ],
)
def test_only_what_was_looked_up_counts_as_well(told: str, status: int, words: str) -> None:
    """An outage, a skipped package and an empty answer never count as a clean result."""
    found = audit.read(told, "Traceback\nConnectionError: Failed to resolve 'api.osv.dev'\n")
    assert found.status == status
    assert words in "\n".join(found.lines)


def test_the_locks_hold_every_package() -> None:
    """Every package that any lock file pins is in one of the audited lock files."""

    def pins(name: str) -> set[str]:
        lines = (REPOSITORY / name).read_text(encoding="utf-8").splitlines()
        return {line.split()[0] for line in lines if line[:1].isalnum() and "==" in line}

    looked_up = set().union(*map(pins, audit.LOCKS))
    others = [path.relative_to(REPOSITORY) for path in (REPOSITORY / "requirements").glob("*.txt")]
    others += [path.relative_to(REPOSITORY) for path in (REPOSITORY / "layers").glob("*/requirements.txt")]
    missing = {(str(path), pin) for path in others for pin in pins(str(path)) - looked_up}
    assert missing == set()
