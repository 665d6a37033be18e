"""A dependency for breakers: it fails on request, sync and async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from resilience import CircuitBreaker, circuit_breaker
from resilience.testing import ManualClock


class DownError(Exception):
    """The dependency failed."""


class Dependency:
    """A dependency that fails while `down`, and counts its calls."""

    def __init__(self) -> None:
        self.down = False
        self.calls = 0

    def call(self) -> str:
        self.calls += 1
        if self.down:
            raise DownError
        return "fine"

    async def call_async(self) -> str:
        await asyncio.sleep(0)
        return self.call()


class Runner:
    """The same dependency with the same settings, sync or async."""

    def __init__(self, kind: str, clock: ManualClock) -> None:
        self.kind, self.clock = kind, clock
        self.dependency = Dependency()

    def protect(self, **settings: Any) -> Callable[[], str]:
        settings = {"name": "dependency", "clock": self.clock, "jitter": 0.0} | settings
        if self.kind == "plain":
            self.function: Any = circuit_breaker(**settings)(self.dependency.call)
            return self.function  # type: ignore[no-any-return]
        self.function = circuit_breaker(**settings)(self.dependency.call_async)
        return lambda: asyncio.run(self.function())

    @property
    def breaker(self) -> CircuitBreaker:
        return self.function.circuit_breaker  # type: ignore[no-any-return]


def fail(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        with pytest.raises(DownError):
            call()
