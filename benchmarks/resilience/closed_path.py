"""Cost of a call through a closed breaker in microseconds, compared with the installed peers.

`python -m benchmarks.resilience.closed_path` prints JSON: the best of 7 rounds of 50,000 calls, minus the cost of
calling the bare function. Each breaker wraps the same functions and is set up as its guide shows; peers that are not
installed are left out.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

Plain = Callable[[], Any]
Async = Callable[[], Awaitable[Any]]
CALLS, ROUNDS = 50_000, 7


def plain() -> None: ...


async def asynchronous() -> None: ...


def ours() -> tuple[Plain, Async]:
    from resilience import circuit_breaker

    return circuit_breaker(name="plain")(plain), circuit_breaker(name="async")(asynchronous)


def pybreaker() -> tuple[Plain, None]:
    import pybreaker as peer

    return peer.CircuitBreaker(fail_max=5, reset_timeout=60)(plain), None


def circuitbreaker() -> tuple[Plain, Async]:
    from circuitbreaker import circuit

    return circuit(name="plain")(plain), circuit(name="async")(asynchronous)


def aiobreaker() -> tuple[Plain, Async]:
    from aiobreaker import CircuitBreaker

    return CircuitBreaker()(plain), CircuitBreaker()(asynchronous)


def purgatory() -> tuple[Plain, Async]:
    import purgatory as peer

    breakers, sync = peer.AsyncCircuitBreakerFactory(), peer.SyncCircuitBreakerFactory()
    return sync("plain")(plain), breakers("async")(asynchronous)


def powertools() -> tuple[Plain, Async]:
    from aws_lambda_powertools.utilities.circuit_breaker import circuit_breaker
    from aws_lambda_powertools.utilities.circuit_breaker.persistence.base import CircuitBreakerPersistenceLayer

    class Closed(CircuitBreakerPersistenceLayer):
        """A store without circuits, so that only the breaker's own path is measured."""

        def _get_record(self, name: str) -> None:  # noqa: ARG002 - the peer's signature
            return None

        def _put_record(self, *args: Any, **kwargs: Any) -> None: ...

        def _update_record(self, *args: Any, **kwargs: Any) -> None: ...

    store = Closed()
    return circuit_breaker("plain", store)(plain), circuit_breaker("async", store)(asynchronous)


def time_plain(call: Plain) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = min(best, time.perf_counter() - began)
    return best / CALLS * 1e6


async def time_async(call: Async) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(CALLS):
            await call()
        best = min(best, time.perf_counter() - began)
    return best / CALLS * 1e6


def measure() -> dict[str, dict[str, float | None]]:
    """Return the microseconds each breaker adds to a plain and an async call; None if it does not support async."""
    bare, bare_async = time_plain(plain), asyncio.run(time_async(asynchronous))
    results: dict[str, dict[str, float | None]] = {}
    for build in (ours, pybreaker, circuitbreaker, aiobreaker, purgatory, powertools):
        try:
            call, call_async = build()
        except ImportError:
            continue
        results[build.__name__] = {
            "plain": round(time_plain(call) - bare, 3),
            "async": round(asyncio.run(time_async(call_async)) - bare_async, 3) if call_async else None,
        }
    return results


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
