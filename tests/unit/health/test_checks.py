"""When a dependency or the machine is unhealthy."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from health.operations import checks, system
from resilience import CircuitBreaker, MemoryStore, configure


def test_lambdas_memory_is_the_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """On Lambda the share is of the function's own memory, not the host's."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512")
    monkeypatch.delenv("AWS_SAM_LOCAL", raising=False)
    found = system.memory()
    assert found["total_mb"] == 512
    assert found["percent"] == pytest.approx(100 * found["used_mb"] / 512, abs=0.2)


def test_an_auth_server_that_fails_is_not_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any answer except a server error counts as healthy."""
    monkeypatch.setenv("SUPABASE_URL", "https://x.supabase.co")
    monkeypatch.setenv("SUPABASE_SERVICE_ROLE_KEY", "key")
    answers = [httpx.Response(503), httpx.Response(404)]
    client = httpx.AsyncClient(transport=httpx.MockTransport(lambda _: answers.pop(0)))
    monkeypatch.setattr(checks, "http_client", lambda: client)
    with pytest.raises(checks.UnhealthyError, match="status 503"):
        asyncio.run(checks._auth())
    assert asyncio.run(checks._auth()) == "Supabase Auth answers."


def test_a_machine_that_is_full_is_not_well() -> None:
    """Memory, disk and CPU are healthy up to a share, and the check names the one above it."""
    assert checks._within("disk", 89.4, 90) == "89 % in use"
    with pytest.raises(checks.UnhealthyError, match="90 % of the disk is in use"):
        checks._within("disk", 90.0, 90)


def test_circuits_that_are_not_closed_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check names the circuits, so that an operator knows which dependency is affected."""
    configure(store=MemoryStore())
    assert asyncio.run(checks._circuits()) == "All circuits are closed."
    CircuitBreaker("payments").force_open()
    with pytest.raises(checks.UnhealthyError, match="Not closed: payments"):
        asyncio.run(checks._circuits())
    configure()
