"""The baseline: released migrations, which must not change any more, because they may be applied to someone's data.

`python -m tools.baseline` writes `supabase/baseline.sha256` from the current migrations, in the format of `sha256sum`;
this is part of a release. From then on, tests fail if a migration in it changes.
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
    """Add all migrations of the folder to the baseline."""
    lines = [f"{migration.sha}  migrations/{migration.path.name}\n" for migration in find_migrations(folder)]
    baseline.write_text("".join(lines), encoding="ascii")


def problems(folder: Path = FOLDER, baseline: Path = BASELINE) -> list[str]:
    """Return how the folder's migrations contradict the baseline, one sentence each; empty if they do not."""
    released = read(baseline)
    found = {migration.path.name: migration for migration in find_migrations(folder)}
    newest = max((name.partition("_")[0] for name in released), default="")
    return [
        *(f"{name} was released and is missing." for name in released if name not in found),
        *(
            f"{name} was released and has changed. Revert it and add a new migration."
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
    print(f"{len(read())} migrations are now in the baseline", file=sys.stderr)
