"""Released migrations do not change; new ones come after them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import baseline


def test_the_baseline_is_unchanged() -> None:
    """Before a release `make baseline` records the migrations; afterwards changes go into new ones."""
    assert baseline.problems() == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two released migrations."""
    for name in ("20260101000000_base.sql", "20260101000100_users.sql"):
        (tmp_path / name).write_text("select 1;")
    baseline.write(tmp_path, tmp_path / "baseline.sha256")
    return tmp_path


def problems(folder: Path) -> list[str]:
    return baseline.problems(folder, folder / "baseline.sha256")


def test_a_new_migration_is_welcome(folder: Path) -> None:
    """A migration with a timestamp after the released ones is accepted."""
    (folder / "20270114093000_weekly_goal.sql").write_text("select 2;")
    assert problems(folder) == []


@pytest.mark.parametrize("change", ["select 2;", "select 1; ", "-- A comment.\nselect 1;", ""])
def test_a_changed_one_is_refused(folder: Path, change: str) -> None:
    """Any changed byte is refused, because a database with the migration will not apply it again."""
    (folder / "20260101000100_users.sql").write_text(change)
    assert problems(folder) == [
        "20260101000100_users.sql was released and has changed. Revert it and add a new migration."
    ]


def test_one_that_is_gone_or_renamed_is_refused(folder: Path) -> None:
    """A rename is refused even to a later timestamp."""
    (folder / "20260101000100_users.sql").rename(folder / "20260101000100_people.sql")
    assert problems(folder) == [
        "20260101000100_users.sql was released and is missing.",
        "20260101000100_people.sql needs a timestamp (YYYYMMDDhhmmss) after 20260101000100.",
    ]


@pytest.mark.parametrize("name", ["1_early.sql", "20260101000050_between.sql", "2027011409300_short.sql", "now.sql"])
def test_a_new_one_without_a_later_timestamp_is_refused(folder: Path, name: str) -> None:
    """It would run before applied migrations, or in no defined order."""
    (folder / name).write_text("select 2;")
    assert problems(folder) == [f"{name} needs a timestamp (YYYYMMDDhhmmss) after 20260101000100."]
