"""Builds what is deployed: the functions' code and the two layers, below `.aws-sam/`, and prints their sizes.

`python -m tools.package` builds for Lambda (python3.13, arm64) into `.aws-sam/build`, where `sam deploy` looks; `python
-m tools.package --host` builds the same for this interpreter and machine into `.aws-sam/host`, together with the
packages that the Lambda runtime provides, so that `python -m local serve --template .aws-sam/host/template.yaml` runs
exactly what would be deployed.

`python -m tools.package --finish FOLDER` applies the final steps to the output of `sam build` in FOLDER; with `--host`
for this machine, for which `sam build` uses the template that `--template-here FILE` writes.

All builds install packages by their locked hashes, remove tests and unused metadata, and compile bytecode without a
validity check, because folders on Lambda are read-only and a module without bytecode is compiled at every start.
"""

from __future__ import annotations

import argparse
import hashlib
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from local.docs_page import fetch_docs_page
from tools.package_trim import Target, compile_tree, interpreter, leave_out, size_of, trim

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = ROOT / ".aws-sam"
LAYERS = {"ResilienceLayer": ROOT / "layers" / "resilience", "CoreLayer": ROOT / "layers" / "core"}
UNBUILT = "BUILD: unbuilt"
RUNTIME = "Runtime"
"""Replaces /var/runtime in a build for this machine."""
UNZIPPED_LIMIT = 250 * 1000 * 1000
"""Lambda's limit in bytes for a function with its layers."""
_GLIBC = (17, 24, 26, 27, 28, 31, 34)
"""Minor versions of glibc 2 that Amazon Linux 2023 supports, as in the names of wheels."""
_SOURCES = shutil.ignore_patterns("__pycache__", "*.pyc", "requirements.txt", "pyproject.toml", "*.md")

LAMBDA = Target("arm64", (3, 13), tuple(f"manylinux_2_{minor}_aarch64" for minor in _GLIBC))


def host(python: tuple[int, int] = sys.version_info[:2]) -> Target:
    """Return this machine as a target, for this interpreter or another installed one."""
    return Target(platform.machine(), python, ())


def build(target: Target, folder: Path) -> dict[str, int]:
    """Build into `folder`, which is replaced; returns the unzipped size of each part in bytes."""
    remove(folder)
    folder.mkdir(parents=True)
    fetch_docs_page()
    shutil.copytree(ROOT / "functions", folder / "Functions", ignore=_SOURCES)
    for name, source in LAYERS.items():
        packages = folder / name / "python"
        shutil.copytree(source, packages, ignore=_SOURCES)
        install(target, source / "requirements.txt", packages)
        _finish_layer(packages)
    parts = ["Functions", *LAYERS]
    for name in parts:
        compile_tree(folder / name, target)
    if not target.platforms:
        _install_runtime(target, folder)
    template = built_template((ROOT / "template.yaml").read_text(encoding="utf-8"))
    (folder / "template.yaml").write_text(stamped(template, build_name(folder)), encoding="utf-8")
    return {name: size_of(folder / name) for name in parts}


def remove(folder: Path) -> None:
    """Delete an earlier build, which its tests may have made read-only."""
    if folder.exists():
        for path in (folder, *folder.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(folder)


def finish(target: Target, folder: Path) -> dict[str, int]:
    """Trim and compile the output of `sam build` in `folder`; returns the unzipped size of each part in bytes."""
    parts = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    for part in parts:
        if part.name in LAYERS:
            _finish_layer(part / "python")
        else:
            trim(part)
        compile_tree(part, target)
    if not target.platforms:
        _install_runtime(target, folder)
    template = folder / "template.yaml"
    template.write_text(stamped(template.read_text(encoding="utf-8"), build_name(folder)), encoding="utf-8")
    return {part.name: size_of(part) for part in parts}


def _install_runtime(target: Target, folder: Path) -> None:
    install(target, ROOT / "requirements" / "runtime.txt", folder / RUNTIME)
    compile_tree(folder / RUNTIME, target)


def _finish_layer(packages: Path) -> None:
    trim(packages)
    leave_out(packages)


def install(target: Target, requirements: Path, folder: Path) -> None:
    """Install locked packages for `target` into `folder`."""
    # For other machines, pip is told the platform; for this one, the interpreter that will run the build is used.
    python = sys.executable if target.platforms else interpreter(target.python)
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(requirements), "--target", str(folder)]
    if target.platforms:
        major, minor = target.python
        command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", f"{major}.{minor}"]
        command += ["--platform", "manylinux2014_aarch64"]
        for name in target.platforms:
            command += ["--platform", name]
    # Warnings, such as about scripts outside the PATH, do not matter here.
    subprocess.run([*command, "--no-warn-script-location", "--root-user-action", "ignore"], check=True)


def built_template(text: str) -> str:
    """Return the template with its paths pointing to the build next to it."""
    paths = {"CodeUri: functions/": "CodeUri: Functions/"}
    paths |= {f"ContentUri: layers/{source.name}": f"ContentUri: {name}" for name, source in LAYERS.items()}
    for path, built in paths.items():
        if text.count(path) != 1:
            raise ValueError(f"template.yaml should say {path!r} once")
        text = text.replace(path, built)
    return text


def template_here(text: str) -> str:
    """Return the template for functions on this machine instead of Lambda's; its paths stay the same."""
    return text.replace(LAMBDA.machine, "arm64" if platform.machine() in {"arm64", "aarch64"} else "x86_64")


def stamped(text: str, build: str) -> str:
    """Return the template with the id of this build, so that a new version of every function is published."""
    if text.count(UNBUILT) != 1:
        raise ValueError(f"template.yaml should say {UNBUILT!r} once")
    return text.replace(UNBUILT, f"BUILD: {build}")


def build_name(folder: Path, now: datetime | None = None) -> str:
    """Return the id of this build: the digest of its contents, and when it was built (UTC).

    The time is needed. SAM compares parameters by name, not by value, to decide whether to publish a version: without
    the time, a changed `SuspicionMode` or secret, or the same code again after a rollback, would be deployed while the
    alias stayed on the previous version.
    """
    return f"b{digest(folder)}-{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def digest(folder: Path) -> str:
    """Return the digest of this build: 12 characters, from the contents of all files except bytecode."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and path.name != "template.yaml":
            found.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()[:12]


def report(target: Target, sizes: dict[str, int]) -> str:
    """Return the sizes as a table."""
    rows = [f"{name:<16} {size / 1e6:8.1f} MB" for name, size in sizes.items()]
    total = sum(sizes.values())
    rows.append(f"{'together':<16} {total / 1e6:8.1f} MB of {UNZIPPED_LIMIT / 1e6:.0f} MB, unzipped, {target}")
    return "\n".join(rows)


def main() -> int:
    """Build; returns 1 if the result is too large for Lambda."""
    parser = argparse.ArgumentParser(prog="python -m tools.package")
    parser.add_argument("--host", action="store_true", help="build for this machine")
    parser.add_argument("--output", type=Path, help="default .aws-sam/build, with --host .aws-sam/host")
    parser.add_argument("--finish", type=Path, metavar="FOLDER", help="trim and compile the output of `sam build`")
    parser.add_argument("--template-here", type=Path, metavar="FILE", help="write the template for this machine")
    options = parser.parse_args()
    if options.template_here:
        options.template_here.parent.mkdir(exist_ok=True)
        options.template_here.write_text(template_here((ROOT / "template.yaml").read_text(encoding="utf-8")))
        return 0
    target = host() if options.host else LAMBDA
    if options.finish:
        if target.python != LAMBDA.python:
            parser.error(f"`sam build` builds for Python {LAMBDA.python}, and this is {target.python}")
        sizes = finish(target, options.finish)
    else:
        sizes = build(target, options.output or OUTPUT / ("host" if options.host else "build"))
    print(report(target, sizes))
    return 0 if sum(sizes.values()) < UNZIPPED_LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
