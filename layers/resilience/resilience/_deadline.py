"""One deadline per request: how much time is left, visible to every call within it.

It lives in a context variable, so it follows the request through tasks and (with `asyncio.to_thread`) into threads. It
is measured on a steady clock, which time synchronization does not move.
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
    """A moment on a steady clock.

    Attributes:
        at: The moment, in the clock's seconds.
        steady: The clock.
    """

    at: float
    steady: Callable[[], float]

    def remaining(self) -> float:
        """Seconds left; never negative."""
        return max(0.0, self.at - self.steady())


_current: Final[ContextVar[Deadline | None]] = ContextVar("resilience_deadline", default=None)


def set_deadline(seconds: float, *, clock: Clock = SYSTEM) -> Token[Deadline | None]:
    """Give the current context a deadline, unless it has an earlier one already.

    Args:
        seconds: From now; 0 or more.
        clock: Its steady clock measures.

    Returns:
        A token for `clear_deadline`.
    """
    return _current.set(_earlier(seconds, clock))


def _earlier(seconds: float, clock: Clock) -> Deadline:
    """The current deadline, or one in this many seconds if there is none or it would be earlier."""
    _validation.number("seconds", seconds)
    at, current = clock.steady() + seconds, _current.get()
    if current is not None and current.remaining() <= seconds:
        return current
    return Deadline(at, clock.steady)


def clear_deadline(token: Token[Deadline | None]) -> None:
    """Restore the deadline from before `set_deadline`.

    In another context than that, where the deadline was never seen (a framework may enter and leave a block in
    different threads), there is nothing to restore.
    """
    with suppress(ValueError):
        _current.reset(token)


def forget_deadline() -> None:
    """Clear the deadline of the current context: for work that continues after its request has ended."""
    _current.set(None)


@contextmanager
def deadline(seconds: float, *, clock: Clock = SYSTEM) -> Iterator[Deadline]:
    """Give the block a deadline; the earlier one wins when blocks are nested.

    The block is not interrupted. What it calls through this package is: no retry, wait or timeout goes past it.

    A FastAPI dependency that sets one must be `async def`: a plain one runs in a thread with a copy of the context, and
    what it sets there the route never sees; a RuntimeWarning says so.
    """
    earlier = _earlier(seconds, clock)
    with scoped(_current, earlier, "deadline()"):
        yield earlier


def remaining() -> float | None:
    """Seconds left of the current deadline; 0.0 when it has passed, None when there is none."""
    current = _current.get()
    return None if current is None else current.remaining()


def timeout_for(call: str, default: float | None = None, *, reserve: float = 0.0) -> float | None:
    """The timeout to give a call, so that the deadline holds.

    Args:
        call: The call's name in the error.
        default: Seconds that it may take at most; None sets no limit of its own.
        reserve: Seconds to keep for what comes after the call.

    Returns:
        The smaller of default and what is left, or None when neither exists.

    Raises:
        DeadlineExceededError: Nothing is left; the call should not be made.
    """
    left = remaining()
    if left is None:
        return default
    left -= reserve
    if left <= 0:
        raise DeadlineExceededError(f"no time left for {call}")
    return left if default is None else min(left, default)
