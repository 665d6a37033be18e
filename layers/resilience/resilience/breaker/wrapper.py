"""The fast path: what a protected call costs while the circuit is closed.

It costs one reading of the clock, one comparison, the call and two assignments: no lock, no allocation. The comparison
is with one pair of bounds that stands for three conditions: the circuit is closed, the window's current bucket is not
over, and the snapshot is recent enough. All other cases go to `breaker.admission`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, TypeVar

from resilience._functions import GENERATORS, PENDING, is_async, refuse_pending, refuse_unsupported
from resilience.breaker.admission import Admission
from resilience.breaker.permit import Permit

R = TypeVar("R")


def wrap(breaker: Admission, function: Callable[..., Any]) -> Any:
    """Return a plain or async function wrapped in a breaker; raises ConfigurationError if it cannot be."""
    refuse_unsupported(function)
    wrapper: Any = _wrap_async(breaker, function) if is_async(function) else _wrap_plain(breaker, function)
    functools.update_wrapper(wrapper, function)
    wrapper.circuit_breaker = breaker
    return wrapper


def _wrap_plain(breaker: Admission, function: Callable[..., Any]) -> Callable[..., Any]:
    circuit, wall, started = breaker.circuit, breaker.config.clock.wall, 0.0
    timed = breaker.config.slow_call_seconds is not None
    judged = timed or breaker.config.is_failure is not None

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        permit = circuit.permit if circuit.fast_from <= (now := wall()) < circuit.fast_until else breaker.enter(now)
        began = breaker.started() if timed else started
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            breaker.share(breaker.on_error(permit, error, began))
            raise
        if (kind := result.__class__) is CoroutineType:
            return _finish(breaker, permit, result, began)
        if kind in PENDING:
            return _finish_later(breaker, function, permit, began, result)
        if permit is circuit.permit and not judged:
            circuit.successes += 1
            circuit.consecutive_failures = 0
        else:
            breaker.share(breaker.on_result(permit, result, began))
        return result

    return wrapper


def _wrap_async(breaker: Admission, function: Callable[..., Any]) -> Callable[..., Any]:
    circuit, wall = breaker.circuit, breaker.config.clock.wall
    timed = breaker.config.slow_call_seconds is not None
    judged = timed or breaker.config.is_failure is not None

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        now = wall()
        permit = circuit.permit if circuit.fast_from <= now < circuit.fast_until else await breaker.enter_async(now)
        began = breaker.started() if timed else 0.0
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            await breaker.share_async(breaker.on_error(permit, error, began))
            raise
        if permit is circuit.permit and not judged:
            circuit.successes += 1
            circuit.consecutive_failures = 0
        else:
            await breaker.share_async(breaker.on_result(permit, result, began))
        return result

    return wrapper


async def _finish(breaker: Admission, permit: Permit, coroutine: Coroutine[Any, Any, R], began: float) -> R:
    """Await the coroutine that a plain function returned (an async one under another decorator); count its outcome."""
    try:
        result = await coroutine
    except BaseException as error:
        await breaker.share_async(breaker.on_error(permit, error, began))
        raise
    await breaker.share_async(breaker.on_result(permit, result, began))
    return result


def _finish_later(breaker: Admission, function: Callable[..., Any], permit: Permit, began: float, result: Any) -> Any:
    """Count the outcome of a returned future when it is done; refuse a generator, whose outcome never shows."""
    if result.__class__ in GENERATORS:
        breaker.circuit.abandoned(permit)
        refuse_pending(function, result)
    result.add_done_callback(functools.partial(_finished, breaker, permit, began))
    return result


def _finished(breaker: Admission, permit: Permit, began: float, future: Any) -> None:
    """Count the outcome of a future that a plain function returned."""
    error = asyncio.CancelledError() if future.cancelled() else future.exception()
    if error is not None:
        record = breaker.on_error(permit, error, began)
    else:
        record = breaker.on_result(permit, future.result(), began)
    breaker.share_soon(record)
