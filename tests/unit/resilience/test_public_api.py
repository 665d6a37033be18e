"""The package's public API: what it exports, what importing it costs, and what it must not depend on."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

import resilience

FORBIDDEN = {
    *("boto3", "botocore", "opentelemetry", "redis"),
    *("fastapi", "starlette", "supabase", "postgrest", "aws_lambda_powertools", "studysync"),
}
LAYER = resilience.__file__.rsplit("/resilience/", 1)[0]
PUBLIC = [name for name, value in vars(resilience).items() if not name.startswith("_") and not inspect.ismodule(value)]


def run(code: str) -> str:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {LAYER!r})\n{code}"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_documented(name: str) -> None:
    """Every public function and class has a docstring."""
    value = getattr(resilience, name)
    assert not (callable(value) or isinstance(value, type)) or value.__doc__


def test_importing_it_brings_in_nothing_foreign() -> None:
    """Without a table no AWS package is loaded, and never a web or application package."""
    loaded = run("import resilience\nprint(' '.join(sys.modules))")
    assert not FORBIDDEN & {module.split(".")[0] for module in loaded.split()}


def test_the_errors_form_one_tree() -> None:
    """Every error of the package is a ResilienceError, and also the built-in error that it resembles."""
    from resilience import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    assert all(issubclass(kind, resilience.ResilienceError) for kind in kinds)
    assert issubclass(resilience.ConfigurationError, ValueError)
    assert issubclass(resilience.DeadlineExceededError, TimeoutError)
    assert issubclass(resilience.BulkheadFullError, TimeoutError)


def test_errors_say_what_happened_and_carry_it() -> None:
    """Each error has its facts as attributes, and a message for the log."""
    opened = resilience.CircuitOpenError("database", 12.34, forced=True)
    assert (opened.name, opened.retry_after, opened.forced) == ("database", 12.34, True)
    assert str(opened) == "circuit 'database' is open; try again in 12.3 s"
    assert resilience.CircuitOpenError("database", -1.0).retry_after == 0.0
    waited = resilience.BulkheadFullError(20, 1.5)
    assert (waited.waited, str(waited)) == (1.5, "all 20 slots busy for 1.50 s")
    limiter = resilience.RateLimiter(per_minute=1, per_hour=None, store=resilience.MemoryStore())
    refused = next(decision for _ in range(3) if not (decision := limiter.check("user")).allowed)
    error = resilience.RateLimitedError(refused)
    assert (error.decision, error.retry_after) == (refused, refused.retry_after)
    assert "reached; try again in" in str(error)
