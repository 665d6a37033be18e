"""PostgreSQL's programs for another user, whatever file modes they were installed with."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import unprivileged
from local.unprivileged import can_reach, place_programs

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has somebody else run PostgreSQL")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package as installed by pip under umask 077, and a shared folder."""
    monkeypatch.setattr(unprivileged, "shared_folder", lambda: tmp_path / "shared")
    (tmp_path / "shared").mkdir(mode=0o711)
    before = os.umask(0o077)
    package = tmp_path / "venv" / "pg"
    (package / "pginstall" / "bin").mkdir(parents=True)
    for name, mode in (("pginstall/bin/postgres", 0o700), ("pginstall/share.sql", 0o600)):
        (package / name).write_text(name)
        (package / name).chmod(mode)
    yield package
    os.umask(before)


def modes(folder: Path) -> set[int]:
    return {stat.S_IMODE(path.stat().st_mode) & 0o055 for path in (folder, *folder.rglob("*")) if path.is_dir()}


def test_a_copy_is_open_to_all(package: Path) -> None:
    """Under umask 077 another user can enter the copy's folders, read its files and run its programs."""
    placed = place_programs(package, "18", "nobody")
    assert placed != package
    assert modes(placed.parent) == {0o055}
    assert (placed / "pginstall/bin/postgres").stat().st_mode & 0o005 == 0o005
    assert (placed / "pginstall/share.sql").stat().st_mode & 0o005 == 0o004


@pytest.mark.parametrize("damage", ["closed folder", "closed file", "lost", "cut off", "empty"])
def test_a_broken_copy_is_made_anew(package: Path, damage: str) -> None:
    """A copy damaged by an earlier start, another clone or a cleaner is replaced."""
    placed = place_programs(package, "18", "nobody")
    program = placed / "pginstall/bin/postgres"
    if damage == "closed folder":
        placed.parent.chmod(0o700)
    elif damage == "closed file":
        program.chmod(0o700)
    elif damage == "lost":
        program.unlink()
    elif damage == "cut off":
        program.write_text("half")
    else:
        for path in sorted(placed.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    assert place_programs(package, "18", "nobody") == placed
    assert program.read_text() == "pginstall/bin/postgres"
    assert program.stat().st_mode & 0o005 == 0o005
    assert modes(placed.parent) == {0o055}


def test_a_whole_copy_stays(package: Path) -> None:
    """An intact copy is not replaced on start."""
    placed = place_programs(package, "18", "nobody")
    before = (placed / "pginstall/bin/postgres").stat().st_ino
    place_programs(package, "18", "nobody")
    assert (placed / "pginstall/bin/postgres").stat().st_ino == before


def test_ourselves_need_no_copy(package: Path) -> None:
    """Without another user, the programs run from where they are."""
    assert place_programs(package, "18", None) == package
    assert can_reach(Path("/etc/passwd"), "nobody")
