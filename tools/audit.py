"""Look every locked dependency up in the database of known vulnerabilities (OSV), with pip-audit.

`python -m tools.audit` ends with 0 when all were looked up and nothing is known, with 1 when something is, and with 2
when the database could not be asked: then nothing is known either way, and it says so.
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
"""Together they hold every package: those of the layers and of the local stack are in dev.txt with the same pins."""
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2


class Finding(NamedTuple):
    """What is known of one lock file.

    Attributes:
        status: CLEAN, VULNERABLE or UNKNOWN.
        lines: for people.
    """

    status: int
    lines: list[str]


def main() -> int:
    """Audit every lock file; returns the exit status, the worst of all."""
    worst = CLEAN
    for lock in LOCKS:
        done = subprocess.run(_command(ROOT / lock), capture_output=True, text=True, check=False)
        finding = read(done.stdout, done.stderr)
        print("\n".join([f"{lock}: {finding.lines[0]}", *finding.lines[1:]]), flush=True)
        # What is known to be bad outweighs what is not known.
        worst = max(worst, finding.status, key=(CLEAN, UNKNOWN, VULNERABLE).index)
    return worst


def _command(lock: Path) -> list[str]:
    quiet = ["--format", "json", "--progress-spinner", "off", "--timeout", "30"]
    exact = ["--disable-pip", "--require-hashes", "--vulnerability-service", "osv"]
    return [sys.executable, "-m", "pip_audit", "-r", str(lock), *exact, *quiet]


def read(output: str, errors: str) -> Finding:
    """Tell what pip-audit found. Its exit status is no help: it is 1 for a vulnerability and for an outage."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (errors.strip().splitlines() or ["no answer"])[-1]
        return Finding(UNKNOWN, ["NOT AUDITED, the database could not be asked", f"  {reason[:300]}"])
    known = [f"  {each['name']} {each['version']}: {_told(bug)}" for each in packages for bug in each.get("vulns", ())]
    skipped = [f"  {each['name']}: {each['skip_reason']}" for each in packages if "skip_reason" in each]
    if known:
        return Finding(VULNERABLE, [f"{len(known)} known vulnerabilities", *known, *skipped])
    if skipped or not packages:
        return Finding(UNKNOWN, [f"NOT AUDITED, {len(skipped)} packages could not be looked up", *skipped])
    return Finding(CLEAN, [f"nothing is known against its {len(packages)} packages"])


def _told(bug: dict[str, Any]) -> str:
    fixed = ", ".join(bug.get("fix_versions", ())) or "no version yet"
    return f"{bug['id']}, mended in {fixed}"


if __name__ == "__main__":
    sys.exit(main())
