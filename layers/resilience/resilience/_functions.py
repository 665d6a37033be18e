"""What decorators need to know about a function: plain or async, its name, and whether it can be decorated."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, Final, TypeVar

from resilience.errors import ConfigurationError

FUTURES: Final = frozenset({asyncio.Future, asyncio.Task, Future})
GENERATORS: Final = frozenset({GeneratorType, AsyncGeneratorType})
PENDING: Final = FUTURES | GENERATORS
"""Results that have no outcome yet."""


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it makes a coroutine: an async function, or an object whose `__call__` is one."""
    target = unwrapped(function)
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None))  # noqa: B004


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function inside partials."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def name_of(function: Callable[..., Any]) -> str:
    """Module and qualified name; for a callable object, those of its class."""
    target = unwrapped(function)
    named = target if hasattr(target, "__qualname__") else type(target)
    return f"{named.__module__}.{named.__qualname__}"


def refuse_pending(function: Callable[..., Any], result: object) -> None:
    """Refuse a plain function's result that has no outcome yet and will not be waited for.

    Raises:
        ConfigurationError: It is a future or a generator.
    """
    if result.__class__ in PENDING:
        kind = "a future; wait for it" if result.__class__ in FUTURES else "a generator; read it"
        raise ConfigurationError("function", name_of(function), f"returns {kind} inside of the function")


def refuse_unsupported(function: Any) -> None:
    """Refuse to decorate what has no outcome when it is called.

    Raises:
        ConfigurationError: It cannot be called, or is a (plain or async) generator, a context manager made of one, or
            a class.
    """
    if isinstance(function, staticmethod | classmethod | property):
        kind = type(function).__name__
        raise ConfigurationError("function", function, f"is a {kind}: put @{kind} outside, above this decorator")
    if not callable(function):
        raise ConfigurationError("function", function, "cannot be called")
    target: Any = unwrapped(function)
    called = target if inspect.isroutine(target) else getattr(target, "__call__", target)  # noqa: B004
    if isinstance(target, type):
        raise ConfigurationError("function", name_of(function), "is a class; decorate a function that makes one")
    # contextlib's decorators leave the generator as __wrapped__ of a plain function.
    for each in (called, getattr(called, "__wrapped__", None)):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise ConfigurationError(
                "function", name_of(function), "is a generator: calling it says nothing about whether it fails"
            )


class LateAsync:
    """Finds out that a plain function returns coroutines: it is async under another decorator.

    A policy that holds something while the call goes on must hold it until the coroutine has ended. It cannot know
    before the first call; from then on such a function is treated as an async one.
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found = False

    def is_coroutine(self, function: Callable[..., Any], result: object) -> bool:
        """Whether a call returned a coroutine.

        Raises:
            ConfigurationError: It returned a future or a generator.
        """
        if result.__class__ is CoroutineType:
            self.found = True
            return True
        refuse_pending(function, result)
        return False


_F = TypeVar("_F")
_pipeline: Final[ContextVar[str | None]] = ContextVar("resilience_pipeline", default=None)


def mark(decorate: _F, policy: str) -> _F:
    """Say which policy a decorator is, for pipelines."""
    decorate.policy = policy  # type: ignore[attr-defined]
    return decorate


def policy_of(decorate: object) -> str:
    """Which policy a decorator is; "" for none."""
    kind = getattr(decorate, "policy", "")
    return kind if isinstance(kind, str) else ""


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Give this name to whatever is decorated inside the block without a name of its own."""
    token = _pipeline.set(name)
    try:
        yield
    finally:
        _pipeline.reset(token)


def pipeline_name() -> str | None:
    """The name of the pipeline that is being built, or None."""
    return _pipeline.get()


def update(wrapper: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Give a wrapper the name, documentation and attributes of what it wraps."""
    return functools.update_wrapper(wrapper, function)
