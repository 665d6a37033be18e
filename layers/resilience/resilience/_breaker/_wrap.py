"""The closed path: what a protected call costs while everything is well.

One reading of the clock, one comparison (closed, the window's bucket not over, the snapshot young enough: all three are
one pair of bounds), the call, and two assignments. No lock, no allocation. Everything else leaves through `enter` and
`on_error`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast

from resilience._breaker._circuit import Ticket
from resilience._breaker._config import CircuitSettings
from resilience.errors import ConfigurationError

if TYPE_CHECKING:
    from resilience._breaker._breaker import CircuitBreaker

P = ParamSpec("P")
R = TypeVar("R")


def circuit_breaker(
    name: str | None = None, **settings: Unpack[CircuitSettings]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Protect a plain or async function with a circuit of its own.

    Args:
        name: Names the circuit; circuits with the same name share their state across environments. None takes the
            function's module and qualified name.
        settings: See CircuitConfig: `failure_threshold=5`, `recovery_timeout=60` and the rest.

    Returns:
        A decorator. The decorated function raises CircuitOpenError while the circuit is open, and carries
        `.circuit_breaker`: a CircuitBreaker with `get_state()`, `snapshot()`, `reset()` and `force_open()`.

    Raises:
        ConfigurationError: A setting is out of range, or the function is a generator.
    """
    from resilience._breaker._breaker import CircuitBreaker

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        breaker = CircuitBreaker(name if name is not None else _name_of(function), **settings)
        return wrap(breaker, function)

    return decorate


def wrap(breaker: CircuitBreaker, function: Callable[P, R]) -> Callable[P, R]:
    """Put a breaker around a function, plain or async."""
    target = function.func if isinstance(function, functools.partial) else function
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise ConfigurationError(
            "function", _name_of(function), "is a generator: when it failed cannot be told by calling it"
        )
    wrapper: Any = _wrap_async(breaker, function) if is_async(target) else _wrap_plain(breaker, function)
    functools.update_wrapper(wrapper, function)
    wrapper.circuit_breaker = breaker
    return cast("Callable[P, R]", wrapper)


def is_async(function: Callable[..., Any]) -> bool:
    """Whether calling it makes a coroutine: an async function, or an object whose `__call__` is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004


def _name_of(function: Callable[..., Any]) -> str:
    target = function.func if isinstance(function, functools.partial) else function
    return f"{target.__module__}.{getattr(target, '__qualname__', type(target).__qualname__)}"


def _wrap_plain(breaker: CircuitBreaker, function: Callable[..., Any]) -> Callable[..., Any]:
    circuit, wall, started = breaker.circuit, breaker.config.clock.wall, 0.0
    timed = breaker.config.slow_call_seconds is not None
    judged = timed or breaker.config.is_failure is not None

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        ticket = circuit.ticket if circuit.fast_from <= (now := wall()) < circuit.fast_until else breaker.enter(now)
        began = breaker.started() if timed else started
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            breaker.share(breaker.on_error(ticket, error, began))
            raise
        if result.__class__ is CoroutineType:
            return _finish(breaker, ticket, result, began)
        if ticket is circuit.ticket and not judged:
            circuit.good += 1
            circuit.streak = 0
        else:
            breaker.share(breaker.on_result(ticket, result, began))
        return result

    return wrapper


def _wrap_async(breaker: CircuitBreaker, function: Callable[..., Any]) -> Callable[..., Any]:
    circuit, wall = breaker.circuit, breaker.config.clock.wall
    timed = breaker.config.slow_call_seconds is not None
    judged = timed or breaker.config.is_failure is not None

    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        now = wall()
        ticket = circuit.ticket if circuit.fast_from <= now < circuit.fast_until else await breaker.enter_async(now)
        began = breaker.started() if timed else 0.0
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            await breaker.share_async(breaker.on_error(ticket, error, began))
            raise
        if ticket is circuit.ticket and not judged:
            circuit.good += 1
            circuit.streak = 0
        else:
            await breaker.share_async(breaker.on_result(ticket, result, began))
        return result

    return wrapper


async def _finish(breaker: CircuitBreaker, ticket: Ticket, coroutine: Coroutine[Any, Any, R], began: float) -> R:
    """Await what a plain function returned: it was async under another decorator, and only now has an outcome."""
    try:
        result = await coroutine
    except BaseException as error:
        await breaker.share_async(breaker.on_error(ticket, error, began))
        raise
    await breaker.share_async(breaker.on_result(ticket, result, began))
    return result
