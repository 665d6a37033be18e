"""Swagger UI for `/api/docs`, downloaded once from its npm package, by its hash: `python -m local.docs_page`.

It is stored next to the page in `functions/`, from where it is served and deployed; git ignores it.
"""

from pathlib import Path

from local.home import REPOSITORY
from local.postgrest_binary import fetch_npm_files

_PACKAGE = "swagger-ui-dist@5.35.0"
_SHA512 = "U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ=="
_FILES = ("LICENSE", "swagger-ui.css", "swagger-ui-bundle.js")
_VERSION = "VERSION"


def fetch_docs_page(folder: Path = REPOSITORY / "functions/health/operations/pages/vendor") -> None:
    """Copy Swagger UI's files into `folder`, unless this version is there already."""
    version = folder / _VERSION
    if version.exists() and version.read_text(encoding="utf-8") == _PACKAGE:
        return
    fetch_npm_files(_PACKAGE, _SHA512, {name: folder / name for name in _FILES})
    version.write_text(_PACKAGE, encoding="utf-8")


if __name__ == "__main__":
    fetch_docs_page()
