"""Fault injection for tests: latency, errors and wrong results in a share of the calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, ParamSpec, TypeVar, cast

from resilience import _sleep, _validation
from resilience._clock import chance
from resilience._functions import LateAsync, is_async, mark, refuse_pending, refuse_unsupported, update
from resilience.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")
_NOTHING: Final = object()


def chaos(
    share: float,
    *,
    latency: float = 0.0,
    error: Callable[[], BaseException] | None = None,
    result: object = _NOTHING,
    rng: Callable[[], float] = chance,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Inject faults into a share of the calls of a plain or async function.

    In a pipeline it is the innermost policy, because it takes the place of the dependency.

    Args:
        share: Share of the calls that get the fault, from 0.0 to 1.0.
        latency: Seconds to wait before such a call; 0 or more. `no_wait` and `set_testing` skip the wait.
        error: A function that returns the error to raise, such as an exception type. The decorated function is then not
            called.
        result: What to return in place of the real result. A function is called with the real result, and its result
            returned.
        rng: Source of randomness: a function that returns a number, at least 0 and below 1.

    Returns:
        A decorator.

    Raises:
        ConfigurationError: A setting is out of range, both error and result are given, or the function cannot be
            decorated.
    """
    _validation.number("share", share, most=1.0)
    _validation.number("latency", latency)
    if error is not None and result is not _NOTHING:
        raise ConfigurationError("result", result, "cannot be returned by a call that raises")

    fault = _Fault(share, latency, error, result, rng)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        target: Any = function

        def plain(*args: Any, **kwargs: Any) -> Any:
            if fault.spares():
                result = target(*args, **kwargs)
                refuse_pending(function, result)
                return result
            _sleep.sleep(fault.latency)
            fault.strike()
            result = target(*args, **kwargs)
            return wait_for(result) if LateAsync().is_coroutine(function, result) else fault.spoil(result)

        async def wait_for(coroutine: Any) -> Any:
            return fault.spoil(await coroutine)

        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            if fault.spares():
                return await target(*args, **kwargs)
            await _sleep.sleep_async(fault.latency)
            fault.strike()
            return fault.spoil(await target(*args, **kwargs))

        return cast("Callable[P, R]", update(asynchronous if is_async(function) else plain, function))

    return mark(decorate, "chaos")


class _Fault(NamedTuple):
    """The settings of `chaos`, and their effect on one call."""

    share: float
    latency: float
    error: Callable[[], BaseException] | None
    result: object
    rng: Callable[[], float]

    def spares(self) -> bool:
        """Draw whether this call gets no fault."""
        return self.rng() >= self.share

    def strike(self) -> None:
        """Raise the configured error, if there is one."""
        if self.error is not None:
            raise self.error()

    def spoil(self, real: Any) -> Any:
        """Return the configured result in place of the real one, or the real one if none is configured."""
        if self.result is _NOTHING:
            return real
        return self.result(real) if callable(self.result) else self.result
