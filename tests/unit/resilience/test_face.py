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


def test_errors_say_what_happened_and_carry_it() -> None:
    """Each has its facts as attributes, and a text for whoever reads the log."""
    opened = resilience.CircuitOpenError("database", 12.34, forced=True)
    assert (opened.name, opened.retry_after, opened.forced) == ("database", 12.34, True)
    assert str(opened) == "circuit 'database' is open; try again in 12.3 s"
    assert resilience.CircuitOpenError("database", -1.0).retry_after == 0.0
    waited = resilience.PoolTimeoutError(20, 1.5)
    assert (waited.waited, str(waited)) == (1.5, "all 20 slots busy for 1.50 s")
    limiter = resilience.RateLimiter(per_minute=1, per_hour=None, store=resilience.MemoryStore())
    refused = next(decision for _ in range(3) if not (decision := limiter.check("user")).allowed)
    error = resilience.RateLimitedError(refused)
    assert (error.decision, error.retry_after) == (refused, refused.retry_after)
    assert "reached; try again in" in str(error)


def test_unknown_names_are_no_part_of_it() -> None:
    """A name that is misspelt is an AttributeError that says so, and `dir` lists what there is."""
    with pytest.raises(AttributeError, match="module 'resilience' has no attribute 'circuit_braker'"):
        _ = resilience.circuit_braker
    assert dir(resilience) == sorted(resilience.__all__)
    assert {getattr(resilience, name) is not None for name in resilience.__all__} == {True}
