"""Hedged requests for slow reads, and injected faults."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    chaos,
    hedge,
)
from resilience.testing import ManualClock, no_wait

both = pytest.mark.parametrize("kind", ["plain", "async"])


def made(kind: str, decorate: Callable[[Any], Any], work: Callable[[], Any]) -> Callable[[], Any]:
    """The work behind a policy, sync or async, called the same way."""
    if kind == "plain":
        return decorate(work)  # type: ignore[no-any-return]

    async def asynchronous() -> Any:
        await asyncio.sleep(0)
        return work()

    function = decorate(asynchronous)
    return lambda: asyncio.run(function())


def test_a_slow_read_is_asked_again() -> None:
    """The second request answers first, and the slower one is cancelled."""
    cancelled, calls = [], itertools.count()

    @hedge(0.02)
    async def read() -> int:
        number = next(calls)
        if number == 0:
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                cancelled.append(number)
                raise
        return number

    async def scenario() -> int:
        answer = await read()
        await asyncio.sleep(0)
        return answer

    assert asyncio.run(scenario()) == 1
    assert cancelled == [0]


def test_a_slow_plain_read_is_asked_again() -> None:
    """In threads the slower request continues by itself."""
    release, calls = threading.Event(), itertools.count()

    @hedge(0.02)
    def read() -> int:
        number = next(calls)
        if number == 0:
            release.wait(10)
        return number

    assert read() == 1
    release.set()


@both
def test_when_one_request_fails_the_other_is_waited_for(kind: str) -> None:
    """When both requests fail, the first one's error is raised."""
    calls = itertools.count()

    def work() -> int:
        number = next(calls)
        if number in (0, 2, 3):
            time.sleep(0.03 if number in (0, 2) else 0.0)
            raise ConnectionError(str(number))
        time.sleep(0.1)
        return number

    if kind == "plain":
        read: Any = hedge(0.01)(work)
    else:

        async def later() -> int:
            return await asyncio.to_thread(work)

        function = hedge(0.01)(later)
        read = lambda: asyncio.run(function())  # noqa: E731
    assert read() == 1
    with pytest.raises(ConnectionError, match="2"):
        read()


def test_when_to_hedge_is_learnt_and_paid_for() -> None:
    """The delay is the slowest twentieth's time, after twenty calls; at most a tenth of the calls are hedged."""
    clock, calls = ManualClock(), []

    @hedge(clock=clock)
    async def read(seconds: float) -> None:
        calls.append(1)
        clock.advance(seconds)
        if seconds > 0.5:
            await asyncio.sleep(0.15)

    async def scenario() -> None:
        for _ in range(100):
            await read(0.1)
        assert len(calls) == 100
        await asyncio.gather(*(read(1.0) for _ in range(60)))

    asyncio.run(scenario())
    assert 160 < len(calls) <= 160 + 17


@both
def test_chaos_spoils_a_share(kind: str) -> None:
    """Chaos injects errors, wrong results and latency into the configured share of calls."""
    rolls = itertools.cycle([0.1, 0.9])
    settings: dict[str, Any] = {"rng": lambda: next(rolls)}
    wrong = made(kind, chaos(0.5, result=lambda real: -real, **settings), lambda: 42)
    assert [wrong() for _ in range(4)] == [-42, 42, -42, 42]
    broken = made(kind, chaos(0.5, error=ConnectionError, **settings), lambda: 42)
    with pytest.raises(ConnectionError):
        broken()
    assert broken() == 42
    with no_wait() as waits:
        slow = made(kind, chaos(0.5, latency=3.0, **settings), lambda: 42)
        assert [slow() for _ in range(2)] == [42, 42]
    assert waits == [3.0]
