"""Writes a release's bill of materials, the packages of both layers, as CycloneDX 1.6: `python -m tools.sbom FILE`.

It comes from the locked requirements, which the build installs by the same hashes.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.package import LAYERS, ROOT

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(requirements: str) -> list[dict[str, Any]]:
    """Return a component for each package of a locked requirements file, with the hashes of all its files."""
    found = list(_PINNED.finditer(requirements))
    ends = [each.start() for each in found[1:]] + [len(requirements)]
    return [
        {
            "type": "library",
            "name": each["name"],
            "version": each["version"],
            "purl": (purl := f"pkg:pypi/{each['name'].lower().replace('_', '-')}@{each['version']}"),
            "bom-ref": purl,
            "hashes": [{"alg": "SHA-256", "content": one} for one in _HASH.findall(requirements[each.end() : end])],
        }
        for each, end in zip(found, ends, strict=True)
    ]


def document(version: str) -> dict[str, Any]:
    """Return all components; a package in both layers is listed once."""
    listed = [one for folder in LAYERS.values() for one in components((folder / "requirements.txt").read_text("utf-8"))]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "application", "name": "studysync", "version": version}},
        "components": sorted({one["purl"]: one for one in listed}.values(), key=lambda one: str(one["purl"])),
    }


def main() -> int:
    """Write it."""
    found = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(document(found[1] if found else ""), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
