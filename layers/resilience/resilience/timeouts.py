"""A time limit as a policy: around each attempt inside of retries, around all of them outside.

It is a deadline as well: whatever the function calls through this package, and `timeout_for`, keep to it.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
from collections.abc import Callable
from concurrent.futures import TimeoutError as NoAnswerError
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar, cast

from resilience import _validation
from resilience._deadline import clear_deadline, remaining, set_deadline
from resilience._functions import PENDING, is_async, mark, name_of, refuse_pending, refuse_unsupported, update
from resilience._thread_pool import DaemonThreadPool
from resilience.errors import DeadlineExceededError

P = ParamSpec("P")
R = TypeVar("R")

_threads: Final = DaemonThreadPool("resilience-timeout", 1_000, idle_seconds=10.0)


def timeout(seconds: float, *, thread: bool = False) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit how long a call may take.

    Args:
        seconds: More than 0.
        thread: For plain functions, which cannot be interrupted. False: the call has a deadline, and ends early as far
            as what it calls keeps to it. True: it runs in a thread, and is left behind there when its time is over.
            Async functions are always interrupted.

    Returns:
        A decorator. The decorated function raises TimeoutError when it is interrupted: a failure for a circuit around
        it, and worth another try. When the request's own deadline came first it raises DeadlineExceededError, which is
        neither. A plain function without a thread raises only what the calls within it raise at their deadline.

    Raises:
        ConfigurationError: seconds is not more than 0, or the function cannot be decorated.
    """
    _validation.seconds("seconds", seconds)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        build = _async_wrapper if is_async(function) else _thread_wrapper if thread else _plain_wrapper
        return cast("Callable[P, R]", update(build(function, seconds), function))

    return mark(decorate, "timeout")


def _async_wrapper(function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        left = _left(function)
        token = set_deadline(seconds)
        limit = asyncio.timeout(seconds if left is None or seconds < left else left)
        try:
            async with limit:
                return await function(*args, **kwargs)
        except TimeoutError as error:
            if limit.expired():
                raise _over(function, seconds, left) from error
            raise
        finally:
            clear_deadline(token)

    return wrapper


def _plain_wrapper(function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        _left(function)
        token = set_deadline(seconds)
        try:
            result = function(*args, **kwargs)
        finally:
            clear_deadline(token)
        if (kind := result.__class__) is CoroutineType:  # it is async under another decorator
            return _async_wrapper(functools.update_wrapper(lambda: result, function), seconds)()
        if kind in PENDING:
            refuse_pending(function, result)
        return result

    return wrapper


def _thread_wrapper(function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    limited = _plain_wrapper(function, seconds)  # a coroutine is awaited where the caller is, and not in the thread

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        left, context = _left(function), contextvars.copy_context()
        future = _threads.submit(lambda: context.run(limited, *args, **kwargs))
        try:
            return future.result(seconds if left is None or seconds < left else left)
        except NoAnswerError:
            if future.done():
                raise
            raise _over(function, seconds, left) from None

    return wrapper


def _left(function: Callable[..., Any]) -> float | None:
    left = remaining()
    if left is not None and left <= 0:
        raise DeadlineExceededError(f"no time left for {name_of(function)}")
    return left


def _over(function: Callable[..., Any], seconds: float, left: float | None) -> TimeoutError:
    if left is not None and left <= seconds:
        return DeadlineExceededError(f"no time left for {name_of(function)}")
    return TimeoutError(f"{name_of(function)} took longer than {seconds:g} s")
