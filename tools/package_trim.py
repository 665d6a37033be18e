"""Trims a built folder: removes files that no function reads, and adds bytecode for the target's Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """The target of a build.

    Attributes:
        machine: for people, such as ``arm64``.
        python: major and minor version.
        platforms: pip's names for it; empty: this machine.
    """

    machine: str
    python: tuple[int, int]
    platforms: tuple[str, ...]

    def __str__(self) -> str:
        return f"python{self.python[0]}.{self.python[1]} on {self.machine}"


_PACKAGES = ("tests", "test")
_FOLDERS = ("bin", "__pycache__")
_FILES = ("*.pyi", "*.c", "*.h", "*.pyx", "*.pxd", "*.rst", "*.md", "py.typed")
# Read at run time: versions and entry points. Licences have to be distributed with their packages.
_METADATA = ("METADATA", "entry_points.txt", "licenses", "LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING")
# Optional packages that libraries import at every cold start if present, although no function uses them: FastAPI looks
# for pydantic 1 models, httpcore for HTTP/2, which our pool does not use (`studysync.db.transport`).
OPTIONAL = ("pydantic/v1", "h2", "hpack", "hyperframe")


def leave_out(folder: Path, names: Iterable[str] = OPTIONAL) -> None:
    """Remove optional packages, and their metadata, which would claim they are installed."""
    for name in names:
        shutil.rmtree(folder / name, ignore_errors=True)
        for metadata in folder.glob(f"{name}-*.dist-info"):
            shutil.rmtree(metadata)


def trim(folder: Path) -> None:
    """Remove files of installed packages that no function reads."""
    for path in list(_directories(folder)):
        if path.name in _FOLDERS or (path.name in _PACKAGES and (path / "__init__.py").exists()):
            shutil.rmtree(path, ignore_errors=True)  # may be in one that is removed already
    for pattern in _FILES:
        for path in folder.rglob(pattern):
            if not any(parent.name.endswith(".dist-info") for parent in path.parents):
                path.unlink()
    for path in folder.glob("*.dist-info/*"):
        if path.name not in _METADATA:
            path.unlink() if path.is_file() else shutil.rmtree(path)


def _directories(folder: Path) -> Iterator[Path]:
    for place, names, _ in os.walk(folder):
        for name in names:
            yield Path(place, name)


def compile_tree(folder: Path, target: Target) -> None:
    """Write bytecode that is used without checking its source.

    Raises:
        RuntimeError: no interpreter of the target's version is installed; bytecode is specific to a version.
    """
    command = [interpreter(target.python), "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    # Tracebacks show the paths on Lambda, not those of the build machine.
    mounted = "/opt" if (folder / "python").is_dir() else "/var/task"
    subprocess.run([*command, "-s", str(folder), "-p", mounted, str(folder)], check=True)


def interpreter(version: tuple[int, int]) -> str:
    """Return an interpreter of this version: this one, one on the PATH, or one installed by uv or pyenv."""
    if sys.version_info[:2] == version:
        return sys.executable
    number = f"{version[0]}.{version[1]}"
    for candidate in _interpreters(number):
        if candidate and _answer([candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]) == number:
            return candidate
    raise RuntimeError(
        f"Python {number} is needed to compile for it: put one on the PATH, or `uv python install {number}`"
    )


def _interpreters(number: str) -> Iterator[str]:
    yield shutil.which(f"python{number}") or ""
    yield _answer([sys.executable, "-m", "uv", "python", "find", "--no-project", number])
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    yield from (str(path) for path in sorted(versions.glob(f"{number}*/bin/python")))


def _answer(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def size_of(folder: Path) -> int:
    """Return the size in bytes of the files below `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
