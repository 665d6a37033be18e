"""A limit on concurrent calls that adapts to what the dependency serves without queueing.

The algorithm is Gradient2 of Netflix's concurrency-limits ("Performance Under Load", 2018), which follows TCP Vegas
(Brakmo and Peterson, 1995). The ratio of the usual to the recent duration of calls shows whether a queue builds up.
While calls take no longer than usual, the limit grows by its square root; when they take longer, it shrinks by that
ratio. Both steps are smoothed. An error that indicates overload also shrinks the limit (multiplicative decrease: Chiu
and Jain, 1989). A call over the limit is refused immediately, because waiting would only form another queue.
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
    """The adaptive limit of one dependency: a decorator for plain and async functions.

    Args:
        initial: Initial limit on concurrent calls, default 20; from least to most.
        least: The lowest limit, default 1.
        most: The highest limit, default 200.
        overload: Errors that indicate overload, default TimeoutError. Other errors do not change the limit.
        clock: Its monotonic clock measures the calls.

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
        """Forget the calls under way, which belong to the parent; see ForkAware."""
        self._lock = threading.Lock()
        self._active = 0

    @property
    def limit(self) -> int:
        """Number of concurrent calls allowed now."""
        return max(self._least, int(self._limit))

    @property
    def active(self) -> int:
        """Number of calls under way."""
        return self._active

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Limit a function; functions decorated with the same object share the limit.

        Returns:
            The decorated function, which raises ConcurrencyLimitError for a call over the limit.

        Raises:
            ConfigurationError: The function cannot be decorated, for instance because it is a generator.
        """
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
            return  # the call began before a fork, so its slot is the parent's
        with lock:
            self._active -= 1
            if overloaded:
                self._limit = max(self._least, self._limit * _FAILED)
            elif seconds is not None:
                self._learn(active, max(seconds, 1e-9))

    def _learn(self, active: int, seconds: float) -> None:
        """Adapt the limit to a call's duration in seconds; `active` calls were under way when it began."""
        self._usual = seconds if not self._usual else self._usual + _USUAL_WEIGHT * (seconds - self._usual)
        self._recent = seconds if not self._recent else self._recent + _RECENT_WEIGHT * (seconds - self._recent)
        if self._usual > 2 * self._recent:
            self._usual *= 0.95  # the dependency recovered: forget the slow period faster than the average would
        if active < self._limit / 2:
            return  # too few concurrent calls to show whether a higher limit would work
        gradient = max(0.5, min(1.0, _TOLERANCE * self._usual / self._recent))
        aim = self._limit * gradient + math.sqrt(self._limit)
        self._limit = min(self._most, max(self._least, self._limit + _SMOOTHING * (aim - self._limit)))


def adaptive_limit(initial: int = 20, **settings: Any) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit concurrent calls to what the dependency serves without queueing.

    Args:
        initial: Initial limit, default 20.
        settings: The other arguments of AdaptiveLimit.

    Returns:
        A decorator. The decorated function raises ConcurrencyLimitError for a call over the limit.

    Raises:
        ConfigurationError: A setting is out of range.
    """
    return mark(AdaptiveLimit(initial, **settings), "adaptive_limit")
