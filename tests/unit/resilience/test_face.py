"""The package's face: what it exports, what importing it costs, and what it must not know."""

from __future__ import annotations

import subprocess
import sys

import pytest

import resilience

FORBIDDEN = ("boto3", "botocore", "fastapi", "starlette", "supabase", "postgrest", "aws_lambda_powertools", "studysync")
LAYER = resilience.__file__.rsplit("/resilience/", 1)[0]


def run(code: str) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {LAYER!r})\n{code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_exported_name_exists_and_is_documented() -> None:
    """Each name in `__all__` loads, and functions and classes say what they do."""
    for name in resilience.__all__:
        value = getattr(resilience, name)
        if callable(value) or isinstance(value, type):
            assert value.__doc__, name
    assert sorted(resilience.__all__) == dir(resilience)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """Lazy loading does not invent names."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = resilience.nothing


def test_loading_everything_brings_in_nothing_foreign() -> None:
    """With every public name loaded, no AWS, web or application package is."""
    loaded = run(
        "import resilience\nfor name in resilience.__all__: getattr(resilience, name)\nprint(' '.join(sys.modules))"
    )
    assert not set(FORBIDDEN) & {module.split(".")[0] for module in loaded.split()}


def test_importing_takes_less_than_60_milliseconds() -> None:
    """The best of five imports stays below the promise, in processor time."""
    code = "import time; t = time.process_time(); import resilience; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(5)) < 0.060


def test_the_errors_form_one_tree() -> None:
    """Every error of the package is a ResilienceError, and the built-in one it resembles."""
    from resilience import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, resilience.ResilienceError) for kind in kinds)
    assert issubclass(resilience.ConfigurationError, ValueError)
    assert issubclass(resilience.DeadlineExceededError, TimeoutError)
    assert issubclass(resilience.PoolTimeoutError, TimeoutError)
