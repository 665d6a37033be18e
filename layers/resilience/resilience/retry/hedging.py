"""A second request for reads that take unusually long; the first answer counts.

After Dean and Barroso, "The Tail at Scale" (2013): sent only after most calls would have ended, a few extra requests
shorten the slowest answers. There is a budget: however slow everything gets, hedges are at most a tenth of the calls,
plus 10 at the start and one in ten seconds.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from typing import Any, Final, ParamSpec, TypeVar, cast

from resilience import _validation, events
from resilience._clock import SYSTEM, Clock
from resilience._functions import LateAsync, is_async, mark, name_of, refuse_unsupported, update
from resilience._thread_pool import DaemonThreadPool
from resilience.metrics.sketch import Sketch
from resilience.retry.budget import RetryBudget

P = ParamSpec("P")
R = TypeVar("R")

_KNOWN_CALLS: Final = 20
_MOST_CALLS: Final = 10_000
_SHARE: Final = 0.95
_threads: Final = DaemonThreadPool("resilience-hedge", 1_000, idle_seconds=10.0)


class _Latency:
    """How long calls take: when to hedge, and whether that can be afforded."""

    def __init__(self, after: float | None, budget: RetryBudget | None, clock: Clock) -> None:
        self._after, self._budget, self.steady = after, budget, clock.steady
        self._sketch = Sketch()
        self._seconds: float | None = None

    def begin(self) -> float | None:
        """Count a call; returns the seconds after which it is hedged, or None for never."""
        if self._budget is not None:
            self._budget.deposit()
        return self._after if self._after is not None else self._seconds

    def ended(self, seconds: float) -> None:
        """Learn from a call that was answered."""
        if self._after is not None:
            return
        if self._sketch.count >= _MOST_CALLS:
            self._sketch = Sketch()  # old latencies are not representative
        self._sketch.add(max(0.0, seconds))
        if self._sketch.count >= _KNOWN_CALLS and self._sketch.count % _KNOWN_CALLS == 0:
            self._seconds = self._sketch.quantile(_SHARE)

    def affords(self, name: str) -> bool:
        """Whether one more request may be made."""
        if self._budget is not None and not self._budget.withdraw():
            return False
        events.emit(events.HEDGE, name)
        return True


def hedge(
    after: float | None = None, *, budget: RetryBudget | None = None, clock: Clock = SYSTEM
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Ask again when an answer takes unusually long, and take the first. For calls that may happen twice: reads.

    Args:
        after: Seconds after which the second request is made. None learns it: the time in which 95 % of the calls were
            answered, from twenty calls on.
        budget: Allowance of hedges; None makes one: a tenth of the calls.
        clock: Its steady clock times the calls.

    Returns:
        A decorator. An async function's slower request is cancelled; a plain function runs in threads, where its slower
        request goes on. When one request fails the other is waited for; when both do, the first one's error is raised.

    Raises:
        ConfigurationError: after is not more than 0, or the function cannot be decorated.
    """
    if after is not None:
        _validation.seconds("after", after)
    latency = _Latency(after, budget or RetryBudget(clock=clock), clock)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        build = _async_wrapper if is_async(function) else _plain_wrapper
        return cast("Callable[P, R]", update(build(function, latency), function))

    return mark(decorate, "hedge")


def _async_wrapper(function: Callable[..., Any], latency: _Latency) -> Callable[..., Any]:
    name = name_of(function)

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        after, began = latency.begin(), latency.steady()
        if after is None:
            result = await function(*args, **kwargs)
            latency.ended(latency.steady() - began)
            return result
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(function(*args, **kwargs))]
        try:
            done, _ = await asyncio.wait(tasks, timeout=after)
            if not done and latency.affords(name):
                tasks.append(asyncio.ensure_future(function(*args, **kwargs)))
            result = await _first(tasks)
        finally:
            for task in tasks:
                task.cancel()
        latency.ended(latency.steady() - began)
        return result

    return wrapper


async def _first(tasks: list[asyncio.Future[Any]]) -> Any:
    """The first good answer, or the first request's error."""
    waiting = set(tasks)
    while waiting:
        done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done and not task.cancelled() and task.exception() is None:
                return task.result()
    return tasks[0].result()


def _plain_wrapper(function: Callable[..., Any], latency: _Latency) -> Callable[..., Any]:
    name, late, asynchronous = name_of(function), LateAsync(), _async_wrapper(function, latency)

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if late.found:
            return asynchronous(*args, **kwargs)
        after, began = latency.begin(), latency.steady()
        if after is None:
            result = function(*args, **kwargs)
            if late.is_coroutine(function, result):
                return result
            latency.ended(latency.steady() - began)
            return result

        def ask() -> Future[Any]:
            context = contextvars.copy_context()
            return _threads.submit(lambda: context.run(function, *args, **kwargs))

        requests = [ask()]
        if not wait(requests, after).done and latency.affords(name):
            requests.append(ask())
        waiting = set(requests)
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            good = next((each for each in requests if each in done and each.exception() is None), None)
            if good is not None:
                if late.is_coroutine(function, good.result()):
                    good.result().close()  # made in a thread; the next ones are hedged as those of async functions
                    return asynchronous(*args, **kwargs)
                latency.ended(latency.steady() - began)
                return good.result()
        return requests[0].result()

    return wrapper
