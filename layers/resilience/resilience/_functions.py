"""Questions that decorators ask about a function: is it async, what is its name, can it be decorated."""

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
"""Types of results whose outcome is not known yet."""


def is_async(function: Callable[..., Any]) -> bool:
    """Return whether a call makes a coroutine: of an async function (or a partial of one), or an async `__call__`."""
    target = unwrapped(function)
    return inspect.iscoroutinefunction(target) or inspect.iscoroutinefunction(getattr(target, "__call__", None))  # noqa: B004


def unwrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function inside any `functools.partial` objects."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def name_of(function: Callable[..., Any]) -> str:
    """Return the module and qualified name of a function; of a callable object, those of its class."""
    target = unwrapped(function)
    named = target if hasattr(target, "__qualname__") else type(target)
    return f"{named.__module__}.{named.__qualname__}"


def refuse_pending(function: Callable[..., Any], result: object) -> None:
    """Refuse a plain function's result whose outcome is not known yet and that nothing here waits for.

    Raises:
        ConfigurationError: The result is a future or a generator.
    """
    if result.__class__ in PENDING:
        kind = "a future; wait for it" if result.__class__ in FUTURES else "a generator; read it"
        raise ConfigurationError("function", name_of(function), f"returns {kind} inside of the function")


def refuse_unsupported(function: Any) -> None:
    """Refuse to decorate an object whose call does not show whether it fails.

    Raises:
        ConfigurationError: It is not callable, or is a class, a plain or async generator function, a context manager
            made from one, or a staticmethod, classmethod or property object.
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
    # contextlib's decorators return a plain function, with the generator function as its __wrapped__.
    for each in (called, getattr(called, "__wrapped__", None)):
        if inspect.isgeneratorfunction(each) or inspect.isasyncgenfunction(each):
            raise ConfigurationError(
                "function", name_of(function), "is a generator: calling it says nothing about whether it fails"
            )


class LateAsync:
    """Detects a plain function that returns coroutines: an async function under another decorator.

    A policy that holds something during a call, such as a slot, must hold it until the coroutine has ended. Only the
    first call shows that there is one; from then on (`found` is True) the function is treated as async.
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found = False

    def is_coroutine(self, function: Callable[..., Any], result: object) -> bool:
        """Return whether a call's result is a coroutine, and remember it in `found`.

        Raises:
            ConfigurationError: The result is a future or a generator.
        """
        if result.__class__ is CoroutineType:
            self.found = True
            return True
        refuse_pending(function, result)
        return False


_F = TypeVar("_F")
_pipeline: Final[ContextVar[str | None]] = ContextVar("resilience_pipeline", default=None)


def mark(decorate: _F, policy: str) -> _F:
    """Tag a decorator with the name of its policy, for pipelines, and return it."""
    decorate.policy = policy  # type: ignore[attr-defined]
    return decorate


def policy_of(decorate: object) -> str:
    """Return the name of a decorator's policy; "" for an object that is not a policy."""
    kind = getattr(decorate, "policy", "")
    return kind if isinstance(kind, str) else ""


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Make this the default name of circuits and fallbacks that are decorated inside the block."""
    token = _pipeline.set(name)
    try:
        yield
    finally:
        _pipeline.reset(token)


def pipeline_name() -> str | None:
    """Return the name of the pipeline that is being applied, or None."""
    return _pipeline.get()


def update(wrapper: Callable[..., Any], function: Callable[..., Any]) -> Any:
    """Give a wrapper the name, docstring and attributes of the function it wraps, and return it."""
    return functools.update_wrapper(wrapper, function)
