"""What the documentation refers to exists: files, tests, make targets, other pages and their headings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from studysync import errors

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")), *ROOT.glob("SECURITY.md")]
FOLDERS = "functions|layers|tests|testing|docs|local|tools|benchmarks|supabase|events|requirements"
_FILE = re.compile(rf"`((?:{FOLDERS})/[\w./-]*|template\.yaml|samconfig\.toml|pyproject\.toml|Makefile)(?:::(\w+))?`")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([\w-]+))?\)")

page = pytest.mark.parametrize("page", PAGES, ids=[path.name for path in PAGES])


@page
def test_every_file_and_test_named_exists(page: Path) -> None:
    """A path in code style is relative to the repository; `path::test` names a function in it."""
    missing = []
    for path, test in _FILE.findall(page.read_text(encoding="utf-8")):
        file = ROOT / path
        if not file.exists() or (test and f"def {test}(" not in file.read_text(encoding="utf-8")):
            missing.append(f"{path}::{test}" if test else path)
    assert missing == []


@page
def test_every_link_leads_somewhere(page: Path) -> None:
    """A link leads to a file relative to the page, or to a heading in it."""
    broken = []
    for path, heading in _LINK.findall(page.read_text(encoding="utf-8")):
        file = page.parent / path if path else page
        if not file.exists() or (heading and heading not in _headings(file)):
            broken.append(f"{path}#{heading}")
    assert broken == []


@page
def test_every_target_of_make_exists(page: Path) -> None:
    """Every `make` target on a page is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    typed = {name for code in re.findall(r"`([^`]+)`|^\$ (.*)$", text, re.MULTILINE) for name in _typed("".join(code))}
    assert typed - targets == set()


def test_clients_read_of_every_error() -> None:
    """The table of error codes equals the code's, each with its status."""
    rows = re.findall(
        r"^\| (`[A-Z_`, ]+`) \| (\d{3}) \|", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    told = {(int(status), code) for codes, status in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == {kind for kind in vars(errors).values() if isinstance(kind, errors.ErrorKind)}


def _typed(code: str) -> list[str]:
    return re.findall(r"(?:^|[ =\d])make ([a-z-]+)", code)


def _headings(file: Path) -> set[str]:
    found = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in found}
