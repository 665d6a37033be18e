"""axe-core, an accessibility checker: fetched once from npm, verified by its hash, and kept in the cache folder."""

from __future__ import annotations

from pathlib import Path

from local.postgrest_binary import fetch_npm_file
from local.stack_directory import cache_folder

_VERSION = "4.10.3"
_SHA512 = "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg=="


def axe_core() -> Path:
    """Return the path of its script, which is fetched if it is not there."""
    path = cache_folder() / f"axe-core-{_VERSION}" / "axe.min.js"
    if not path.exists():
        fetch_npm_file(f"axe-core@{_VERSION}", _SHA512, "axe.min.js", path)
    return path
