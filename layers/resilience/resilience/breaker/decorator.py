"""The decorator `circuit_breaker`."""

from __future__ import annotations

from collections.abc import Callable
from types import CodeType
from typing import Any, ParamSpec, TypeVar, Unpack

from resilience._functions import mark, name_of, pipeline_name, refuse_unsupported, unwrapped
from resilience.breaker.breaker import CircuitBreaker, ProtectedFunction
from resilience.breaker.config import CircuitSettings
from resilience.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")
_unnamed: dict[str, CodeType | None] = {}


def circuit_breaker(
    name: str | None = None, **settings: Unpack[CircuitSettings]
) -> Callable[[Callable[P, R]], ProtectedFunction[P, R]]:
    """Protect a plain or async function with a circuit of its own.

    Args:
        name: Names the circuit; circuits with the same name share their state across environments. None takes the
            function's module and qualified name, or in a pipeline the pipeline's name; functions made by a factory need
            names of their own. All functions of a pipeline share one circuit.
        settings: See CircuitConfig: `failure_threshold=5`, `recovery_timeout=60` and the rest.

    Returns:
        A decorator. The decorated function raises CircuitOpenError while the circuit is open, and carries
        `.circuit_breaker`: a CircuitBreaker with `get_state()`, `snapshot()`, `reset()` and `force_open()`.

    Raises:
        ConfigurationError: A setting is out of range; calling the function cannot tell whether it failed (a generator,
            a class); or no name is given and another function has the same one.
    """
    of_pipelines: dict[str, CircuitBreaker] = {}

    def decorate(function: Callable[P, R]) -> ProtectedFunction[P, R]:
        refuse_unsupported(function)
        pipeline = pipeline_name()
        if pipeline is None:
            return CircuitBreaker(name if name is not None else _own_name(function), **settings)(function)
        if pipeline not in of_pipelines:
            of_pipelines[pipeline] = CircuitBreaker(name if name is not None else pipeline, **settings)
        return of_pipelines[pipeline](function)

    return mark(decorate, "circuit_breaker")


def _own_name(function: Callable[..., Any]) -> str:
    """Return the function's name; refuse one that another function has, because they would share a circuit."""
    name, target = name_of(function), unwrapped(function)
    code = getattr(target, "__code__", None)
    made_anew = getattr(target, "__closure__", None) or function is not target or code is None
    if name in _unnamed and (made_anew or _unnamed[name] is not code):
        raise ConfigurationError("name", name, "another function has this name; name their circuits")
    _unnamed[name] = code
    return name
