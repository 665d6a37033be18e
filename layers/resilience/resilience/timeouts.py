"""A time limit as a policy: inside retries it limits each attempt, outside of them all attempts together.

It also sets a deadline, which `timeout_for` and whatever the function calls through this package respect.
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
        seconds: Longest time for the call; more than 0.
        thread: For plain functions, which cannot be interrupted. False: the call only gets a deadline, and ends early
            if the calls within it respect the deadline. True: the function runs in a thread, where it continues when
            its time is over, while the caller gets the error. Async functions are always cancelled.

    Returns:
        A decorator. The decorated function raises TimeoutError when its time is over: a circuit around it counts that
        as a failure, and it may be retried. If the request's own deadline came first, it raises DeadlineExceededError,
        which is not counted and never retried; it does so without a call when no time is left. Otherwise a plain
        function without a thread raises only what the calls within it raise at the deadline.

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
        if (kind := result.__class__) is CoroutineType:  # an async function under another decorator
            return _async_wrapper(functools.update_wrapper(lambda: result, function), seconds)()
        if kind in PENDING:
            refuse_pending(function, result)
        return result

    return wrapper


def _thread_wrapper(function: Callable[..., Any], seconds: float) -> Callable[..., Any]:
    limited = _plain_wrapper(function, seconds)  # the caller awaits a coroutine, not the thread

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
