"""Check every locked dependency for known vulnerabilities (OSV), with pip-audit.

`python -m tools.audit` exits with 0 if none is vulnerable, with 1 if one is, and with 2 if the database could not be
reached, so that nothing is known either way.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
LOCKS = tuple(
    f"requirements/{name}.txt"
    for name in ("dev", "installer", "runtime", "sam", "scan", "emulator", "peer", "bench", "audit", "mutation")
)
"""Together they contain every package: those of the layers and the local stack are in dev.txt with the same pins."""
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


class Finding(NamedTuple):
    """The result for one lock file.

    Attributes:
        status: CLEAN, VULNERABLE or UNKNOWN.
        lines: for people.
    """

    status: int
    lines: list[str]


def main() -> int:
    """Audit every lock file; returns the worst exit status."""
    worst = CLEAN
    for lock in LOCKS:
        done = subprocess.run(_command(ROOT / lock), capture_output=True, text=True, check=False)
        finding = read(done.stdout, done.stderr)
        print("\n".join([f"{lock}: {finding.lines[0]}", *finding.lines[1:]]), flush=True)
        # A known vulnerability outweighs an unknown result.
        worst = max(worst, finding.status, key=(CLEAN, UNKNOWN, VULNERABLE).index)
    return worst


def _command(lock: Path) -> list[str]:
    quiet = ["--format", "json", "--progress-spinner", "off", "--timeout", "30"]
    exact = ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv"]
    return [sys.executable, "-m", "pip_audit", "-r", str(lock), *exact, *quiet]


def read(output: str, errors: str) -> Finding:
    """Interpret pip-audit's output. Its exit status does not help: it is 1 for a vulnerability and for an outage."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (errors.strip().splitlines() or ["no answer"])[-1]
        return Finding(UNKNOWN, ["NOT AUDITED, the database could not be reached", f"  {reason[:300]}"])
    known = [f"  {each['name']} {each['version']}: {_bug(bug)}" for each in packages for bug in each.get("vulns", ())]
    skipped = [f"  {each['name']}: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    if known:
        return Finding(VULNERABLE, [f"{len(known)} known vulnerabilities", *known, *skipped])
    if skipped or not packages:
        return Finding(UNKNOWN, [f"NOT AUDITED, {len(skipped)} packages could not be checked", *skipped])
    return Finding(CLEAN, [f"no known vulnerabilities in {len(packages)} packages"])


def _bug(bug: dict[str, Any]) -> str:
    fixed = ", ".join(bug.get("fix_versions", ())) or "no version yet"
    return f"{bug['id']}, fixed in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
