"""The bill of materials of a release."""

from __future__ import annotations

import re

from tests.unit.deploy.conftest import ROOT
from tools.sbom import components, document


def test_every_locked_package_is_listed_by_its_hashes() -> None:
    """Each package is listed once, with its version and all hashes of the lock."""
    listed = {one["name"]: one for one in document("1.2.3")["components"]}
    for layer in ("core", "resilience"):
        text = (ROOT / "layers" / layer / "requirements.txt").read_text(encoding="utf-8")
        locked = re.findall(r"^([\w.-]+)==([\w.+-]+)", text, re.MULTILINE)
        assert locked
        for name, version in locked:
            assert listed[name]["version"] == version
            assert listed[name]["purl"].endswith(f"@{version}")
            assert all(len(each["content"]) == 64 for each in listed[name]["hashes"])
            assert listed[name]["hashes"]


def test_hashes_belong_to_their_package() -> None:
    """The hashes of the next package are not included."""
    first, second = components(f"a==1 \\\n  --hash=sha256:{'0' * 64}\nb==2 ; x \\\n  --hash=sha256:{'1' * 64}\n")
    assert [each["content"] for each in first["hashes"]] == ["0" * 64]
    assert [each["content"] for each in second["hashes"]] == ["1" * 64]
