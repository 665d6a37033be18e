"""Cost of a successful call through a retry, a breaker and a timeout, compared with hand-built stacks of peers.

Ours is a pipeline. Each peer is a breaker in tenacity's retry, with `asyncio.timeout` inside for async functions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from benchmarks.resilience.closed_path import asynchronous, plain

CALLS = 2_000
Pair = tuple[Callable[[], Any], Callable[[], Any] | None]


def ours() -> Pair:
    """Return our pipeline of retry, breaker and timeout."""
    from resilience import circuit_breaker, pipeline, retry, timeout

    line = pipeline("bench", retry(max_retries=3), circuit_breaker(), timeout(2.0))
    return line(plain), line(asynchronous)


def _with_tenacity(breaker: Callable[[Any], Any], breaker_async: Callable[[Any], Any] | None) -> Pair:
    from tenacity import retry, stop_after_attempt

    again = retry(stop=stop_after_attempt(4))

    async def in_time() -> None:
        async with asyncio.timeout(2.0):
            await asynchronous()

    return again(breaker(plain)), again(breaker_async(in_time)) if breaker_async else None


def pybreaker() -> Pair:
    """Return pybreaker in tenacity; it supports async functions only with Tornado."""
    import pybreaker as peer

    return _with_tenacity(peer.CircuitBreaker(fail_max=5, reset_timeout=60), None)


def circuitbreaker() -> Pair:
    """Return circuitbreaker in tenacity."""
    from circuitbreaker import circuit

    return _with_tenacity(circuit(name="stack plain"), circuit(name="stack async"))


def aiobreaker() -> Pair:
    """Return aiobreaker in tenacity."""
    from aiobreaker import CircuitBreaker

    return _with_tenacity(CircuitBreaker(), CircuitBreaker())


def time_plain(call: Callable[[], Any]) -> float:
    """Return the mean duration of a call in microseconds."""
    began = time.perf_counter()
    for _ in range(CALLS):
        call()
    return (time.perf_counter() - began) / CALLS * 1e6


async def time_async(call: Callable[[], Any]) -> float:
    """Return the mean duration of a call in microseconds."""
    began = time.perf_counter()
    for _ in range(CALLS):
        await call()
    return (time.perf_counter() - began) / CALLS * 1e6


BUILDERS = (ours, pybreaker, circuitbreaker, aiobreaker)
