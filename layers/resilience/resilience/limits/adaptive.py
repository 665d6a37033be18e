"""A limit on concurrent calls that adapts itself to what the dependency serves without queueing.

Gradient2 of Netflix' concurrency-limits ("Performance Under Load", 2018), in the line of TCP Vegas (Brakmo and
Peterson, 1995): the ratio of the usual time of a call to its latest says whether a queue builds up. When calls take
longer the limit shrinks with that ratio, otherwise it grows by the square root of itself; an error that means overload
shrinks it as well (multiplicative decrease: Chiu and Jain, 1989). A call over the limit is refused immediately,
because waiting would only be another queue.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar, cast

from resilience import _validation
from resilience._clock import SYSTEM, Clock
from resilience._fork import register_after_fork
from resilience._functions import LateAsync, is_async, mark, refuse_unsupported, update
from resilience.errors import ConcurrencyLimitError, leaves

P = ParamSpec("P")
R = TypeVar("R")

_TOLERANCE: Final = 1.5
_SMOOTHING: Final = 0.2
_FAILED: Final = 0.9
_USUAL_WEIGHT: Final = 0.01
_RECENT_WEIGHT: Final = 0.2


class AdaptiveLimit:
    """The limit of one dependency: a decorator for plain and async functions.

    Args:
        initial: Calls at once to begin with, default 20.
        least: The lowest limit, default 1.
        most: The highest limit, default 200.
        overload: Errors that indicate overload. Default TimeoutError. Other errors are ignored.
        clock: Its steady clock times the calls.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    policy = "adaptive_limit"

    def __init__(
        self,
        initial: int = 20,
        *,
        least: int = 1,
        most: int = 200,
        overload: tuple[type[Exception], ...] = (TimeoutError,),
        clock: Clock = SYSTEM,
    ) -> None:
        self._least = _validation.whole("least", least)
        self._most = _validation.whole("most", most, least=least)
        self._limit = float(_validation.whole("initial", initial, least=least, most=most))
        self._overload, self._steady = _validation.exceptions("overload", overload), clock.steady
        self._usual = self._recent = 0.0
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware: calls under way are the parent's."""
        self._lock = threading.Lock()
        self._active = 0

    @property
    def limit(self) -> int:
        """Calls that may be under way at once now."""
        return max(self._least, int(self._limit))

    @property
    def active(self) -> int:
        """Calls under way."""
        return self._active

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Limit a function; functions that share this object share the limit."""
        refuse_unsupported(function)
        wrapper = self._async_wrapper(function) if is_async(function) else self._plain_wrapper(function)
        return cast("Callable[P, R]", update(wrapper, function))

    def _async_wrapper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            (lock, active), began = self._enter(), self._steady()
            try:
                result = await function(*args, **kwargs)
            except BaseException as error:
                self._leave(lock, active, None, overloaded=self._is_overload(error))
                raise
            self._leave(lock, active, self._steady() - began)
            return result

        return wrapper

    def _plain_wrapper(self, function: Callable[..., Any]) -> Callable[..., Any]:
        late, asynchronous = LateAsync(), self._async_wrapper(function)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if late.found:
                return asynchronous(*args, **kwargs)
            (lock, active), began = self._enter(), self._steady()
            try:
                result = function(*args, **kwargs)
                is_coroutine = late.is_coroutine(function, result)
            except BaseException as error:
                self._leave(lock, active, None, overloaded=self._is_overload(error))
                raise
            self._leave(lock, active, None if is_coroutine else self._steady() - began)
            return self._async_wrapper(lambda: result)() if is_coroutine else result

        return wrapper

    def _is_overload(self, error: BaseException) -> bool:
        return any(isinstance(each, self._overload) for each in leaves(error))

    def _enter(self) -> tuple[threading.Lock, int]:
        with self._lock:
            if self._active >= self.limit:
                raise ConcurrencyLimitError(self.limit)
            self._active += 1
            return self._lock, self._active

    def _leave(self, lock: threading.Lock, active: int, seconds: float | None, *, overloaded: bool = False) -> None:
        if lock is not self._lock:
            return  # the call began before a fork, and its place is the parent's
        with lock:
            self._active -= 1
            if overloaded:
                self._limit = max(self._least, self._limit * _FAILED)
            elif seconds is not None:
                self._learn(active, max(seconds, 1e-9))

    def _learn(self, active: int, seconds: float) -> None:
        """One call's time, with so many under way as it began."""
        self._usual = seconds if not self._usual else self._usual + _USUAL_WEIGHT * (seconds - self._usual)
        self._recent = seconds if not self._recent else self._recent + _RECENT_WEIGHT * (seconds - self._recent)
        if self._usual > 2 * self._recent:
            self._usual *= 0.95  # the dependency recovered: do not take the bad times for the usual ones
        if active < self._limit / 2:
            return  # too little is asked for to learn whether more would do
        gradient = max(0.5, min(1.0, _TOLERANCE * self._usual / self._recent))
        aim = self._limit * gradient + math.sqrt(self._limit)
        self._limit = min(self._most, max(self._least, self._limit + _SMOOTHING * (aim - self._limit)))


def adaptive_limit(initial: int = 20, **settings: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit calls at once to what the dependency serves without making them wait; settings as of AdaptiveLimit.

    Returns:
        A decorator. The decorated function raises ConcurrencyLimitError when there is no place.

    Raises:
        ConfigurationError: A setting is out of range.
    """
    return mark(AdaptiveLimit(initial, **settings), "adaptive_limit")
