"""One deadline per request: how much time is left, visible to every call within it.

It lives in a context variable, so it follows the request through tasks and (with `asyncio.to_thread`) into threads. It
is measured on a monotonic clock, which time synchronization does not step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, Token
from typing import Final, NamedTuple

from resilience import _validation
from resilience._clock import SYSTEM, Clock
from resilience._context import scoped
from resilience.errors import DeadlineExceededError


class Deadline(NamedTuple):
    """A moment on a monotonic clock.

    Attributes:
        at: The moment, in seconds of that clock.
        steady: The clock: returns its current seconds.
    """

    at: float
    steady: Callable[[], float]

    def remaining(self) -> float:
        """Return the seconds left; never negative."""
        return max(0.0, self.at - self.steady())


_current: Final[ContextVar[Deadline | None]] = ContextVar("resilience_deadline", default=None)


def set_deadline(seconds: float, *, clock: Clock = SYSTEM) -> Token[Deadline | None]:
    """Set the deadline of the current context, unless it already has an earlier one.

    Args:
        seconds: Seconds from now; 0 or more.
        clock: Its monotonic clock measures the time.

    Returns:
        A token for `clear_deadline`.

    Raises:
        ConfigurationError: seconds is negative or not finite.
    """
    return _current.set(_earlier(seconds, clock))


def _earlier(seconds: float, clock: Clock) -> Deadline:
    """Return a deadline in this many seconds, or the current one if that is not later."""
    _validation.number("seconds", seconds)
    at, current = clock.steady() + seconds, _current.get()
    if current is not None and current.remaining() <= seconds:
        return current
    return Deadline(at, clock.steady)


def clear_deadline(token: Token[Deadline | None]) -> None:
    """Restore the deadline from before `set_deadline`.

    Does nothing in a context other than the one of `set_deadline`: the deadline was never visible there. A framework
    may enter and leave a block in different threads.
    """
    with suppress(ValueError):
        _current.reset(token)


def forget_deadline() -> None:
    """Remove the deadline of the current context, for work that continues after its request has ended."""
    _current.set(None)


@contextmanager
def deadline(seconds: float, *, clock: Clock = SYSTEM) -> Iterator[Deadline]:
    """Set a deadline for the block; when blocks are nested, the earliest deadline applies.

    The block itself is not interrupted. Calls made through this package respect the deadline: no retry, wait or timeout
    goes past it.

    A FastAPI dependency that sets one must be `async def`. A plain one runs in a thread with a copy of the context, so
    the route never sees the deadline; a RuntimeWarning says so.

    Args:
        seconds: Seconds from now; 0 or more.
        clock: Its monotonic clock measures the time.

    Yields:
        The deadline that applies.

    Raises:
        ConfigurationError: seconds is negative or not finite.
    """
    earlier = _earlier(seconds, clock)
    with scoped(_current, earlier, "deadline()"):
        yield earlier


def remaining() -> float | None:
    """Return the seconds left until the current deadline; 0.0 when it has passed, None when there is none."""
    current = _current.get()
    return None if current is None else current.remaining()


def timeout_for(call: str, default: float | None = None, *, reserve: float = 0.0) -> float | None:
    """Return the timeout to pass to a call so that the deadline is kept.

    Args:
        call: Names the call in the error message.
        default: Longest time for the call, in seconds; None sets no limit of its own.
        reserve: Seconds to keep for the work after the call.

    Returns:
        Seconds: the smaller of `default` and the time left minus `reserve`; without a deadline, `default`.

    Raises:
        DeadlineExceededError: No time is left after `reserve`; the call should not be made.
    """
    left = remaining()
    if left is None:
        return default
    left -= reserve
    if left <= 0:
        raise DeadlineExceededError(f"no time left for {call}")
    return left if default is None else min(left, default)
