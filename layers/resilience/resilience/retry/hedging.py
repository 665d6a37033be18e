"""Hedged requests: a second request for a read that takes unusually long; the first answer counts.

After Dean and Barroso, "The Tail at Scale" (2013): a few extra requests, sent only after most calls would have ended,
shorten the slowest answers. A budget limits them: however slow everything gets, hedges are at most a tenth of the
calls, plus 10 at the start and one every ten seconds.
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
    """Measures how long calls take; says when to hedge, and whether the budget allows it."""

    def __init__(self, after: float | None, budget: RetryBudget | None, clock: Clock) -> None:
        self._after, self._budget, self.steady = after, budget, clock.steady
        self._sketch = Sketch()
        self._seconds: float | None = None

    def begin(self) -> float | None:
        """Count a call and return the seconds after which to hedge it, or None for never."""
        if self._budget is not None:
            self._budget.deposit()
        return self._after if self._after is not None else self._seconds

    def ended(self, seconds: float) -> None:
        """Record the time in which a call was answered, in seconds."""
        if self._after is not None:
            return
        if self._sketch.count >= _MOST_CALLS:
            self._sketch = Sketch()  # old latencies are not representative
        self._sketch.add(max(0.0, seconds))
        if self._sketch.count >= _KNOWN_CALLS and self._sketch.count % _KNOWN_CALLS == 0:
            self._seconds = self._sketch.quantile(_SHARE)

    def affords(self, name: str) -> bool:
        """Take one hedge from the budget and emit the event; False when the budget is empty."""
        if self._budget is not None and not self._budget.withdraw():
            return False
        events.emit(events.HEDGE, name)
        return True


def hedge(
    after: float | None = None, *, budget: RetryBudget | None = None, clock: Clock = SYSTEM
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Send a second request when an answer takes unusually long, and use the first answer. For idempotent calls: reads.

    Functions that are decorated by one `hedge()` share its measurements and its budget.

    Args:
        after: Seconds after which the second request is sent. None learns it: the time within which 95 % of the calls
            were answered, updated every 20 calls; old measurements are dropped every 10,000. The first 20 calls are
            not hedged.
        budget: Limits the hedges. None makes a RetryBudget with its defaults: at most a tenth of the calls.
        clock: Its monotonic clock measures the calls.

    Returns:
        A decorator. An async function's slower request is cancelled. A plain function runs in threads, where its slower
        request runs to its end. If one request fails, the other is waited for; if both fail, the first one's error is
        raised.

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
    """Return the first good answer; if there is none, raise the first request's error."""
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
                    good.result().close()  # made in a thread: ask again, and from now on, as for async functions
                    return asynchronous(*args, **kwargs)
                latency.ended(latency.steady() - began)
                return good.result()
        return requests[0].result()

    return wrapper
