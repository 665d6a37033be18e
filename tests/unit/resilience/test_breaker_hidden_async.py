"""Sync functions that return coroutines, behind a circuit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from resilience import (
    circuit_breaker,
)
from resilience.testing import ManualClock


def test_hidden_async_functions_succeed_too(clock: ManualClock) -> None:
    """The coroutine of a sync function counts once it is awaited, as success or failure."""

    def traced(function: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: function()  # noqa: PLW0108 - hides that it is async

    @circuit_breaker(name="hidden_good", clock=clock)
    @traced
    async def hidden() -> str:
        return "fine"

    assert asyncio.run(hidden()) == "fine"
    seen = hidden.circuit_breaker.snapshot()  # type: ignore[attr-defined]
    assert (seen.calls, seen.failures) == (1, 0)
