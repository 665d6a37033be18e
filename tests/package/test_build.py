"""The contents of the build."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from tools.package import LAYERS, RUNTIME, UNZIPPED_LIMIT
from tools.package_trim import OPTIONAL, size_of

pytestmark = pytest.mark.package
NOT_IN_LAYERS = ("boto3", "botocore", "supabase", "uvicorn", "moto", "pytest", "awslambdaric", "psycopg", "pip")
UNCHECKED_HASH = 0b01
"""The flags of bytecode that is valid whatever its source says (PEP 552)."""


@pytest.mark.parametrize("layer", LAYERS)
def test_a_layer_carries_only_what_runs(build: Path, layer: str) -> None:
    """The layers contain no tests, no boto3 (the runtime has it), and no development tools."""
    packages = {path.name for path in (build / layer / "python").iterdir()}
    assert not packages & {*NOT_IN_LAYERS, "bin", "tests"}
    assert not [name for name in OPTIONAL if (build / layer / "python" / name).exists()]
    assert not [path for path in (build / layer).rglob("tests") if (path / "__init__.py").exists()]


def functions(build: Path) -> list[Path]:
    """The folders of code: one for all functions, or one for each as `sam build` makes them."""
    return [path for path in build.iterdir() if path.is_dir() and path.name not in (*LAYERS, RUNTIME)]


def test_every_module_has_bytecode_that_nobody_checks(build: Path) -> None:
    """In a read-only folder a module without bytecode would be compiled at every cold start."""
    missing = []
    for source in (path for path in build.rglob("*.py") if RUNTIME not in path.parts):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        if not compiled.exists() or compiled.read_bytes()[4] != UNCHECKED_HASH:
            missing.append(source)
    assert missing == []


def test_tracebacks_name_files_as_lambda_sees_them(build: Path) -> None:
    """The path of the build machine is in no bytecode."""
    for source in (functions(build)[0] / "users/app.py", build / "CoreLayer/python/studysync/app.py"):
        compiled = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert str(build).encode() not in compiled
        assert (b"/var/task/users/app.py" in compiled) or (b"/opt/python/studysync/app.py" in compiled)


def test_it_fits_into_lambda(build: Path) -> None:
    """A function with its layers is far below the limit, because size adds to cold starts."""
    total = max(map(size_of, functions(build))) + sum(size_of(build / layer) for layer in LAYERS)
    assert total < UNZIPPED_LIMIT / 3


def test_it_was_built_for_this_interpreter(build: Path) -> None:
    """A build for another interpreter would make the other tests meaningless."""
    tag = sys.implementation.cache_tag
    assert all(list(folder.rglob(f"*.{tag}.pyc")) for folder in functions(build))
