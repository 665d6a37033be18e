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
    """Spoil a share of the calls of a plain or async function: innermost in a pipeline, as its dependency would.

    Args:
        share: Of the calls, from 0.0 to 1.0.
        latency: Seconds by which a spoiled call is late; 0 or more. `no_wait` removes them.
        error: Makes what it raises; an exception type will do.
        result: What it returns in place of the real answer; a function is called with that.
        rng: Source of randomness: a function that returns a number from 0 up to 1.

    Returns:
        A decorator.

    Raises:
        ConfigurationError: A setting is out of range, or both error and result are given.
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
    """What happens to a spoiled call; see `chaos`."""

    share: float
    latency: float
    error: Callable[[], BaseException] | None
    result: object
    rng: Callable[[], float]

    def spares(self) -> bool:
        """Whether nothing happens to this call."""
        return self.rng() >= self.share

    def strike(self) -> None:
        """Raise the error, if there is one."""
        if self.error is not None:
            raise self.error()

    def spoil(self, real: Any) -> Any:
        """The result in place of the real one."""
        if self.result is _NOTHING:
            return real
        return self.result(real) if callable(self.result) else self.result
