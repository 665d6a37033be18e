"""Repeats calls that fail, with tenacity underneath.

The first try is made directly: tenacity is imported and used only from the first failure that may be retried. When no
retry is left or allowed, the last error is raised unchanged.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast

from resilience import _sleep, events
from resilience._functions import is_async, mark, name_of, refuse_pending, refuse_unsupported
from resilience.retry.policy import RetryPolicy, RetrySettings

if TYPE_CHECKING:
    from tenacity import RetryCallState

P = ParamSpec("P")
R = TypeVar("R")


def with_retry(**settings: Unpack[RetrySettings]) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Repeat a plain or async function when it fails.

    Args:
        settings: See RetryPolicy: `max_retries=3`, `base_delay=1.0`, `max_delay=60.0`, `exponential_base=2.0`,
            `jitter=True`, `retry_on=(Exception,)` and the rest. Without `budget`, the functions that this one decorator
            is applied to share a new budget.

    Returns:
        A decorator. The decorated function raises the last error, unchanged, when that may not be retried, or when
        `max_retries`, the budget or the deadline allows no further retry. It has its policy as `.retry_policy`.

    Raises:
        ConfigurationError: A setting is out of range, or the function cannot be decorated.
    """
    policy = RetryPolicy(**settings)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        wrapper: Any
        if is_async(function):

            async def repeat_async(*args: Any, **kwargs: Any) -> Any:
                return await _run_async(policy, cast("Callable[..., Awaitable[Any]]", function), args, kwargs)

            wrapper = repeat_async
        else:

            def repeat(*args: Any, **kwargs: Any) -> Any:
                return _run(policy, function, args, kwargs)

            wrapper = repeat
        functools.update_wrapper(wrapper, function)
        wrapper.retry_policy = policy
        return cast("Callable[P, R]", wrapper)

    return mark(decorate, "retry")


retry = with_retry
"""Another name of `with_retry`, for pipelines."""


async def retry_async(
    function: Callable[..., Awaitable[R]],
    *args: Any,
    kwargs: dict[str, Any] | None = None,
    **settings: Unpack[RetrySettings],
) -> R:
    """Call an async function, repeating it when it fails.

    Args:
        function: The async function.
        args: Its positional arguments.
        kwargs: Its keyword arguments; None for none.
        settings: See RetryPolicy. Without `budget`, all calls of functions with the same module and qualified name
            share one.

    Returns:
        The function's result.

    Raises:
        ConfigurationError: A setting is out of range.
        Exception: The function's last error, unchanged, when no retry is left or allowed.
    """
    settings.setdefault("budget", name_of(function))
    return cast("R", await _run_async(RetryPolicy(**settings), function, args, kwargs or {}))


def retry_sync(
    function: Callable[..., R], *args: Any, kwargs: dict[str, Any] | None = None, **settings: Unpack[RetrySettings]
) -> R:
    """Call a plain function, repeating it when it fails; see `retry_async`."""
    settings.setdefault("budget", name_of(function))
    return cast("R", _run(RetryPolicy(**settings), function, args, kwargs or {}))


def _run(policy: RetryPolicy, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    policy.begin()
    try:
        result = function(*args, **kwargs)
    except Exception as error:
        if policy.max_retries == 0 or not policy.repeatable(error):
            raise
        first = [error]
    else:
        if result.__class__ is CoroutineType:  # an async function under another decorator
            return _await(policy, function, args, kwargs, result)
        refuse_pending(function, result)
        return result
    from tenacity import Retrying

    def attempt() -> Any:
        if first:
            raise first.pop()
        return function(*args, **kwargs)

    return Retrying(sleep=_sleep.sleep, **_rules(policy, function))(attempt)


async def _run_async(
    policy: RetryPolicy, function: Callable[..., Awaitable[Any]], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    policy.begin()
    return await _await(policy, function, args, kwargs, function(*args, **kwargs))


async def _await(
    policy: RetryPolicy,
    function: Callable[..., Awaitable[Any]],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    first_try: Awaitable[Any],
) -> Any:
    try:
        return await first_try
    except Exception as error:
        if policy.max_retries == 0 or not policy.repeatable(error):
            raise
        first = [error]
    from tenacity import AsyncRetrying

    async def attempt() -> Any:
        if first:
            raise first.pop()
        return await function(*args, **kwargs)

    return await AsyncRetrying(sleep=_sleep.sleep_async, **_rules(policy, function))(attempt)


def _rules(policy: RetryPolicy, function: Callable[..., Any]) -> dict[str, Any]:
    """Return tenacity's hooks. It calls `stop` last, so a budget token is taken only for a retry that is made."""

    def error_of(state: RetryCallState) -> BaseException | None:
        return state.outcome.exception() if state.outcome is not None else None

    def repeatable(state: RetryCallState) -> bool:
        error = error_of(state)
        return error is not None and policy.repeatable(error)

    def wait(state: RetryCallState) -> float:
        return policy.wait(state.attempt_number, error_of(state))

    def stop(state: RetryCallState) -> bool:
        return state.attempt_number > policy.max_retries or not policy.may_wait(state.upcoming_sleep)

    def before_sleep(state: RetryCallState) -> None:
        name = getattr(function, "__qualname__", type(function).__qualname__)
        events.emit(events.RETRY, name, retry=state.attempt_number, wait=state.upcoming_sleep, error=error_of(state))

    return {"retry": repeatable, "wait": wait, "stop": stop, "before_sleep": before_sleep, "reraise": True}
