"""What a request was really answered with: fallbacks and stale values, noted where a middleware can read them.

A middleware opens `track_served` around a request and reads it afterwards; the tasks of the request share the one
object. Outside of it nothing is noted (events are sent all the same).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from resilience._context import scoped


class Served:
    """What was served in place of fresh answers.

    Attributes:
        degraded: Fallback keys in order, each once.
        stale: Whether any value came from the cache after its time.
        age: Seconds of age of the oldest cached value that was used; None when none was.
    """

    __slots__ = ("age", "degraded", "stale")

    def __init__(self) -> None:
        self.degraded: list[str] = []
        self.stale = False
        self.age: float | None = None

    def __bool__(self) -> bool:
        return bool(self.degraded) or self.stale


_current: Final[ContextVar[Served | None]] = ContextVar("resilience_served", default=None)


@contextmanager
def track_served() -> Iterator[Served]:
    """Note in the yielded object what the block serves in place of fresh answers."""
    served = Served()
    with scoped(_current, served, "track_served()"):
        yield served


def served() -> Served | None:
    """The object of the innermost `track_served`, or None outside of any."""
    return _current.get()


def degraded() -> tuple[str, ...]:
    """Keys of the fallbacks served so far in this `track_served`; empty outside of one."""
    current = _current.get()
    return tuple(current.degraded) if current else ()


def note_all(served: Served) -> None:
    """Note what somebody else was served, whose answer is shared."""
    for key in served.degraded:
        note_fallback(key)
    if served.age is not None:
        note_cached(served.age, stale=served.stale)


def note_fallback(key: str) -> None:
    """Note that a fallback was served."""
    current = _current.get()
    if current is not None and key not in current.degraded:
        current.degraded.append(key)


def note_cached(age: float, *, stale: bool) -> None:
    """Note that a cached value of this age was served."""
    current = _current.get()
    if current is not None:
        current.age = max(age, current.age or 0.0)
        current.stale = current.stale or stale
