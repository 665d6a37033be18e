"""The baseline: the migrations that are released, and may be applied to somebody's data, so that they stay as they are.

`python -m tools.baseline` writes `supabase/baseline.sha256`, as `sha256sum` does, from the migrations as they are: part
of a release. The tests refuse any other change of a migration that is in it.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from local.home import REPOSITORY
from local.migrations import find_migrations

FOLDER = REPOSITORY / "supabase" / "migrations"
BASELINE = REPOSITORY / "supabase" / "baseline.sha256"


def read(baseline: Path = BASELINE) -> dict[str, str]:
    """The released migrations: the hash of each by its file's name."""
    lines = baseline.read_text(encoding="ascii").splitlines()
    return {name.removeprefix("migrations/"): sha for sha, name in (line.split(maxsplit=1) for line in lines)}


def write(folder: Path = FOLDER, baseline: Path = BASELINE) -> None:
    """Make all migrations of the folder the baseline."""
    lines = [f"{migration.sha}  migrations/{migration.path.name}\n" for migration in find_migrations(folder)]
    baseline.write_text("".join(lines), encoding="ascii")


def problems(folder: Path = FOLDER, baseline: Path = BASELINE) -> list[str]:
    """What is wrong with the migrations of the folder beside the baseline, one sentence each; empty: nothing."""
    released = read(baseline)
    found = {migration.path.name: migration for migration in find_migrations(folder)}
    newest = max((name.partition("_")[0] for name in released), default="")
    return [
        *(f"{name} was released and is gone." for name in released if name not in found),
        *(
            f"{name} was released and is changed. Undo that and add a new migration."
            for name, sha in released.items()
            if name in found and found[name].sha != sha
        ),
        *(
            f"{name} needs a timestamp (YYYYMMDDhhmmss) after {newest}."
            for name, migration in found.items()
            if name not in released and not (re.fullmatch(r"\d{14}", migration.version) and migration.version > newest)
        ),
    ]


if __name__ == "__main__":
    write()
    print(f"{len(read())} migrations are the baseline now", file=sys.stderr)
