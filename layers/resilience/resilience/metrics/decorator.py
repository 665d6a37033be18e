"""The decorator that measures calls."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar, cast

from resilience import _validation
from resilience._functions import is_async, mark, refuse_pending, refuse_unsupported
from resilience.metrics.monitor import PerformanceMonitor, performance_monitor

P = ParamSpec("P")
R = TypeVar("R")


def monitor_performance(
    name: str, *, monitor: PerformanceMonitor = performance_monitor, timer: Callable[[], float] = time.perf_counter
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Measure each call of a plain or async function.

    Args:
        name: Name to record the calls under. Use a route template rather than a path, so that there are few names.
        monitor: Monitor that records the calls.
        timer: Monotonic clock in seconds.

    Returns:
        A decorator. An error is counted and raised again; a cancelled call is not counted.

    Raises:
        ConfigurationError: The name is empty, or the function cannot be decorated (such as a generator).
    """
    _validation.text("name", name)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        build = _measure_async if is_async(function) else _measure
        return cast("Callable[P, R]", functools.update_wrapper(build(function, name, monitor, timer), function))

    return mark(decorate, "monitor")


def _measure(
    function: Callable[..., Any], name: str, monitor: PerformanceMonitor, timer: Callable[[], float]
) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        began = timer()
        try:
            result = function(*args, **kwargs)
        except Exception:
            monitor.record(name, timer() - began, error=True)
            raise
        if result.__class__ is CoroutineType:  # an async function under another decorator
            return _await(result, began, name, monitor, timer)
        refuse_pending(function, result)
        monitor.record(name, timer() - began)
        return result

    return wrapper


def _measure_async(
    function: Callable[..., Any], name: str, monitor: PerformanceMonitor, timer: Callable[[], float]
) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        began = timer()
        return await _await(function(*args, **kwargs), began, name, monitor, timer)

    return wrapper


async def _await(
    awaitable: Awaitable[Any], began: float, name: str, monitor: PerformanceMonitor, timer: Callable[[], float]
) -> Any:
    try:
        result = await awaitable
    except Exception:
        monitor.record(name, timer() - began, error=True)
        raise
    monitor.record(name, timer() - began)
    return result
