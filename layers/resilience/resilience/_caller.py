"""Who a call is made for, so that one caller's failures can be distinguished from everybody's.

The caller lives in a context variable, as the deadline does: set once per request, visible to every call within it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from resilience._context import scoped

_current: Final[ContextVar[str | None]] = ContextVar("resilience_caller", default=None)


def set_caller(caller: str | None) -> None:
    """Set the caller that the current context acts for; None for an unknown one.

    Args:
        caller: Any text that identifies a caller, such as "user:17". Compared, never logged, stored or shared.
    """
    _current.set(caller)


def current_caller() -> str | None:
    """The caller of the current context, or None."""
    return _current.get()


@contextmanager
def caller_scope(caller: str | None) -> Iterator[None]:
    """Make the calls inside the block on behalf of a caller; see `set_caller`."""
    with scoped(_current, caller, "caller_scope()"):
        yield
