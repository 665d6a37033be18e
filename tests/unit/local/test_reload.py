"""Which functions a changed file affects."""

from pathlib import Path

import pytest

from local.runtime.fleet import is_affected
from local.template import FunctionSpec

ROOT = Path("/project")
SPECS = [
    FunctionSpec(name, f"{name}.app.handler", ROOT / "functions", (ROOT / "layers/core",), 15, 512, {})
    for name in ("users", "sessions")
]


@pytest.mark.parametrize(
    ("path", "affected"),
    [
        ("functions/users/app.py", ["users"]),
        ("functions/sessions/models.py", ["sessions"]),
        ("functions/shared/texts.py", ["users", "sessions"]),
        ("functions/common.py", ["users", "sessions"]),
        ("layers/core/studysync/errors.py", ["users", "sessions"]),
        ("layers/other/module.py", []),
        ("README.md", []),
    ],
)
def test_affected_functions(path: str, affected: list[str]) -> None:
    """A function's own package affects it alone; other code in the folder and layers affects all that have them."""
    assert [spec.name for spec in SPECS if is_affected(spec, ROOT / path, SPECS)] == affected
