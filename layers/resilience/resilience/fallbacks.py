"""Serves a reduced answer when the real one fails, and records it.

Failure policy: without a registered fallback, or when the fallback itself fails, the original error is raised.
Cancellation and everything else that is not an Exception is passed on.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
from collections.abc import Awaitable, Callable
from types import CoroutineType
from typing import Any, Final, ParamSpec, TypeVar, cast

from resilience import _degradation, _validation, events
from resilience._functions import is_async, mark, name_of, pipeline_name, refuse_pending, refuse_unsupported

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger("resilience")
_MISSING: Final = object()


class FallbackHandler:
    """A registry of fallbacks by key."""

    def __init__(self) -> None:
        self._fallbacks: dict[str, Any] = {}

    def register_fallback(self, key: str, value: object) -> None:
        """Register what to serve for a key; a second registration replaces the first.

        Args:
            key: The key that `with_fallback` names.
            value: A value, of which each caller gets a deep copy, or a function. The function is called with the error
                and the arguments of the call if its signature accepts them, else with the error alone if it accepts
                that, else with nothing. An async one is for async functions: a plain function returns its coroutine to
                the caller.

        Raises:
            ConfigurationError: The key is empty.
        """
        self._fallbacks[_validation.text("key", key)] = value

    def unregister_fallback(self, key: str) -> None:
        """Remove a key; no error when it is not registered."""
        self._fallbacks.pop(key, None)

    def registered(self) -> tuple[str, ...]:
        """Return the registered keys."""
        return tuple(self._fallbacks)

    def resolve(self, key: str, error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return what to serve, or the awaitable of an async fallback. Raises `error` if nothing is registered."""
        value = self._fallbacks.get(key, _MISSING)
        if value is _MISSING:
            raise error
        return _call(value, error, args, kwargs) if callable(value) else copy.deepcopy(value)


fallback_handler = FallbackHandler()
"""The registry that `with_fallback` uses by default."""


def with_fallback(
    key: str,
    *,
    on: tuple[type[Exception], ...] = (Exception,),
    handler: FallbackHandler = fallback_handler,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Serve the fallback registered under a key when a plain or async function fails.

    Args:
        key: Names the fallback, which may be registered later.
        on: The exception types that it replaces. Default every Exception.
        handler: The registry that has the fallback. Default `fallback_handler`.

    Returns:
        A decorator. A served fallback is recorded in `track_degradation` and emitted as the event `fallback_served`.

    Raises:
        ConfigurationError: The key is empty, `on` holds anything but exception types, or the function cannot be
            decorated.
    """
    _validation.text("key", key)
    _validation.exceptions("on", on)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        build = _async_wrapper if is_async(function) else _plain_wrapper
        wrapper = build(function, key, on, handler)
        return cast("Callable[P, R]", functools.update_wrapper(wrapper, function))

    return mark(decorate, "fallback")


def fallback(
    value: object, *, name: str | None = None, on: tuple[type[Exception], ...] = (Exception,)
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Serve this value when a plain or async function fails: `with_fallback` without a registered key.

    Args:
        value: A value or a function; see `FallbackHandler.register_fallback`.
        name: The key under which `track_degradation` and events report it. None takes the pipeline's name, or else the
            function's.
        on: The exception types that it replaces. Default every Exception.

    Returns:
        A decorator.

    Raises:
        ConfigurationError: `on` holds anything but exception types, or the function cannot be decorated.
    """
    _validation.exceptions("on", on)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        handler, key = FallbackHandler(), name or pipeline_name() or name_of(function)
        handler.register_fallback(key, value)
        return with_fallback(key, on=on, handler=handler)(function)

    return mark(decorate, "fallback")


def _plain_wrapper(
    function: Callable[..., Any], key: str, on: tuple[type[Exception], ...], handler: FallbackHandler
) -> Callable[..., Any]:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            result = function(*args, **kwargs)
        except on as error:
            with _original(key, error):
                value = handler.resolve(key, error, args, kwargs)
            _note(key, error)
            return value
        if result.__class__ is CoroutineType:  # an async function under another decorator
            return _await(result, args, kwargs, key, on, handler)
        refuse_pending(function, result)
        return result

    return wrapper


def _async_wrapper(
    function: Callable[..., Any], key: str, on: tuple[type[Exception], ...], handler: FallbackHandler
) -> Callable[..., Any]:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        return await _await(function(*args, **kwargs), args, kwargs, key, on, handler)

    return wrapper


async def _await(
    awaitable: Awaitable[Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    key: str,
    on: tuple[type[Exception], ...],
    handler: FallbackHandler,
) -> Any:
    try:
        return await awaitable
    except on as error:
        with _original(key, error):
            value = handler.resolve(key, error, args, kwargs)
            if inspect.isawaitable(value):
                value = await value
        _note(key, error)
        return value


class _original:  # noqa: N801 - used as a statement
    """Raise the original error, from the fallback's own, when the fallback fails."""

    def __init__(self, key: str, error: Exception) -> None:
        self.key, self.error = key, error

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and error is not self.error:
            logger.warning("fallback %s failed itself", self.key, exc_info=error)
            raise self.error from error


def _note(key: str, error: Exception) -> None:
    _degradation.record_fallback(key)
    events.emit(events.FALLBACK_SERVED, key, error=type(error).__name__)


def _call(function: Callable[..., Any], error: Exception, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    signature = inspect.signature(function)
    for given, named in (((error, *args), kwargs), ((error,), {})):
        try:
            signature.bind(*given, **named)
        except TypeError:
            continue
        return function(*given, **named)
    return function()
