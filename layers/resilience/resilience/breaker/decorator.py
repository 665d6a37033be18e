"""The closed path: what a protected call costs while everything is well.

One reading of the clock, one comparison (closed, the window's bucket not over, the snapshot young enough: all three are
one pair of bounds), the call, and two assignments. No lock, no allocation. Everything else leaves through `enter` and
`on_error`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, Unpack, cast

from resilience._functions import is_async, name_of, refuse_unsupported
from resilience.breaker.circuit import Permit
from resilience.breaker.config import CircuitSettings

if TYPE_CHECKING:
    from resilience.breaker.breaker import CircuitBreaker

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
    from resilience.breaker.breaker import CircuitBreaker

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        breaker = CircuitBreaker(name if name is not None else name_of(function), **settings)
        return wrap(breaker, function)

    return decorate


def wrap(breaker: CircuitBreaker, function: Callable[P, R]) -> Callable[P, R]:
    """Put a breaker around a function, plain or async."""
    refuse_unsupported(function)
    wrapper: Any = _wrap_async(breaker, function) if is_async(function) else _wrap_plain(breaker, function)
    functools.update_wrapper(wrapper, function)
    wrapper.circuit_breaker = breaker
    return cast("Callable[P, R]", wrapper)


def _wrap_plain(breaker: CircuitBreaker, function: Callable[..., Any]) -> Callable[..., Any]:
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
        if result.__class__ is CoroutineType:
            return _finish(breaker, permit, result, began)
        if permit is circuit.permit and not judged:
            circuit.successes += 1
            circuit.consecutive_failures = 0
        else:
            breaker.share(breaker.on_result(permit, result, began))
        return result

    return wrapper


def _wrap_async(breaker: CircuitBreaker, function: Callable[..., Any]) -> Callable[..., Any]:
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


async def _finish(breaker: CircuitBreaker, permit: Permit, coroutine: Coroutine[Any, Any, R], began: float) -> R:
    """Await what a plain function returned: it was async under another decorator, and only now has an outcome."""
    try:
        result = await coroutine
    except BaseException as error:
        await breaker.share_async(breaker.on_error(permit, error, began))
        raise
    await breaker.share_async(breaker.on_result(permit, result, began))
    return result
