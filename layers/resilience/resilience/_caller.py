"""Who a call is made for, so that a circuit can distinguish one caller's failures from everybody's.

Like the deadline, the caller lives in a context variable: set once per request, visible to every call within it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from resilience._context import scoped

_current: Final[ContextVar[str | None]] = ContextVar("resilience_caller", default=None)


def set_caller(caller: str | None) -> None:
    """Set the caller on whose behalf the current context acts; None if unknown.

    Args:
        caller: Any text that identifies a caller, such as "user:17". Compared, never logged, stored or shared.
    """
    _current.set(caller)


def current_caller() -> str | None:
    """Return the caller of the current context, or None."""
    return _current.get()


@contextmanager
def caller_scope(caller: str | None) -> Iterator[None]:
    """Set the caller for the block; see `set_caller`."""
    with scoped(_current, caller, "caller_scope()"):
        yield
