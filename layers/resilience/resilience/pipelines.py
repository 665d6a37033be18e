"""Policies composed once, under one name, in an order that is checked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

from resilience import _validation
from resilience._functions import naming, policy_of, refuse_unsupported
from resilience.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")
Policy = Callable[[Any], Any]

_ORDER: Final[dict[str, tuple[int, ...]]] = {
    "monitor": (0,),
    "fallback": (1,),
    "cached": (2,),
    "timeout": (3, 8),
    "retry": (4,),
    "hedge": (5,),
    "circuit_breaker": (6,),
    "adaptive_limit": (7,),
    "bulkhead": (9,),
    "chaos": (10,),
}
_ONE_ORDER: Final = (
    "from outside in: monitor, fallback, cached, timeout (all together), retry, hedge, circuit_breaker, "
    "adaptive_limit, timeout (an attempt), bulkhead, chaos"
)


class Pipeline:
    """A decorator that puts policies around plain and async functions. Create one with `pipeline`.

    Functions that share a pipeline share its circuit, budget, bulkhead and limit.

    Attributes:
        name: The name of the pipeline, and of its circuit and its fallback unless they have their own.
    """

    def __init__(self, name: str, policies: tuple[Policy, ...]) -> None:
        self.name = _validation.text("name", name)
        self._policies = _in_order(policies)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Put the policies around a function."""
        refuse_unsupported(function)
        wrapped: Any = function
        with naming(self.name):
            for policy in reversed(self._policies):
                wrapped = policy(wrapped)
        return cast("Callable[P, R]", wrapped)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a plain function through the pipeline; decorating it once is cheaper."""
        return self(function)(*args, **kwargs)

    async def call_async(self, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call an async function through the pipeline; decorating it once is cheaper."""
        return await self(function)(*args, **kwargs)


def pipeline(name: str, *policies: Policy) -> Pipeline:
    """Compose policies, the outermost first.

    Args:
        name: The name of the pipeline, and of its circuit and its fallback unless they have their own.
        policies: What `fallback`, `cached`, `retry`, `hedge`, `circuit_breaker`, `adaptive_limit`, `timeout` and
            `bulkhead` return, `monitor_performance`, and in tests `chaos`; each once at most, `timeout` twice. A
            CircuitBreaker is accepted too. The order is fixed: monitor, fallback, cached, timeout (for all attempts
            together), retry, hedge, circuit_breaker, adaptive_limit, timeout (for each attempt), bulkhead, chaos.

    Returns:
        A decorator for plain and async functions.

    Raises:
        ConfigurationError: The name is empty, or something is not a policy, occurs twice, or is where it would do harm:
            a fallback inside a cache would be stored as the real value, and a circuit outside retries would count all
            failed attempts of a call as one.
    """
    return Pipeline(name, policies)


def _in_order(policies: tuple[Policy, ...]) -> tuple[Policy, ...]:
    place, before = -1, ""
    for policy in policies:
        kind = policy_of(policy)
        if kind not in _ORDER:
            raise ConfigurationError("policies", policy, "must hold policies only")
        places = [each for each in _ORDER[kind] if each > place]
        if not places:
            what = f"{kind} cannot stand inside of {before}" if kind != before else f"{kind} comes twice"
            raise ConfigurationError("policies", [policy_of(each) for each in policies], f"{what}; {_ONE_ORDER}")
        place, before = places[0], kind
    return policies
