"""How a build is assembled, without building."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local.intrinsics import read_template
from tests.unit.deploy.conftest import ROOT
from tools.package import LAMBDA, LAYERS, UNBUILT, build_name, built_template, digest, report, stamped, template_here
from tools.package_trim import trim


def test_the_built_template_points_at_what_was_built() -> None:
    """The template has the paths beside it, and the build's name."""
    text = "\n".join(["CodeUri: functions/", "ContentUri: layers/core", "ContentUri: layers/resilience", UNBUILT])
    built = stamped(built_template(text), "0123")
    assert built.splitlines() == [
        "CodeUri: Functions/",
        "ContentUri: CoreLayer",
        "ContentUri: ResilienceLayer",
        "BUILD: 0123",
    ]


def test_the_template_for_this_machine_differs_in_the_machine_alone() -> None:
    """Functions and layers are built for this machine's architecture."""
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert template_here(text).replace("x86_64", "arm64") == text
    for document in (read_template(text), read_template(template_here(text))):
        machine = document["Globals"]["Function"]["Architectures"]
        for layer in LAYERS:
            entry = document["Resources"][layer]
            assert entry["Properties"]["CompatibleArchitectures"] == [entry["Metadata"]["BuildArchitecture"]] == machine


@pytest.mark.parametrize("text", ["", "CodeUri: elsewhere/"])
def test_a_template_that_is_laid_out_anew_is_noticed(text: str) -> None:
    """It is refused, instead of deployed with missing paths."""
    with pytest.raises(ValueError, match="should say"):
        built_template(text)
    with pytest.raises(ValueError, match="should say"):
        stamped(text, "0123")


def test_trimming_leaves_code_data_versions_and_licences(tmp_path: Path) -> None:
    """Tests, stubs, scripts and the installer's notes are removed."""
    kept = ["a/x.py", "a/data.json", "a/latest/__init__.py", "a-1.dist-info/METADATA", "a-1.dist-info/licenses/LICENSE"]
    gone = ["a/tests/__init__.py", "a/x.pyi", "a/y.c", "bin/tool", "a-1.dist-info/RECORD", "a/py.typed"]
    for name in kept + gone:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    trim(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


def test_the_name_of_a_build_is_its_contents(tmp_path: Path) -> None:
    """Equal contents have the same name at any time; bytecode does not count."""
    (tmp_path / "x.py").write_text("1")
    before = digest(tmp_path)
    (tmp_path / "x.pyc").write_text("any")
    assert digest(tmp_path) == before
    (tmp_path / "x.py").write_text("2")
    assert digest(tmp_path) != before


def test_a_build_is_named_by_its_time_too(tmp_path: Path) -> None:
    """A rebuild is published again, because a parameter or a secret may have changed."""
    first, second = (build_name(tmp_path, datetime(2026, 1, 2, 3, 4, second, tzinfo=UTC)) for second in (5, 6))
    assert first == f"b{digest(tmp_path)}-20260102T030405Z"
    assert first != second


@pytest.mark.parametrize("layer", LAYERS)
def test_requirements_do_not_depend_on_who_builds(layer: str) -> None:
    """Pip evaluates markers for the building machine, not the target, so no line may have one."""
    text = (LAYERS[layer] / "requirements.txt").read_text(encoding="utf-8")
    assert not re.findall(r"; .*(?:python_version|python_full_version|platform_machine|sys_platform)", text)
    assert text.count("--hash=") >= text.count("==")


def test_the_report_is_a_table() -> None:
    """The report has the size of each part and the total."""
    lines = report(LAMBDA, {"Functions": 1_000_000, "CoreLayer": 2_000_000}).splitlines()
    assert [line.split()[1] for line in lines] == ["1.0", "2.0", "3.0"]
    assert "python3.13 on arm64" in lines[-1]
