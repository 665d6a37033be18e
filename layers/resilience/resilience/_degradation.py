"""Records the fallbacks and stale values that a request was answered with, so that a middleware can report them.

A middleware opens `track_degradation` around a request and reads the record afterwards; all tasks of the request share
it. Outside of it nothing is recorded (events are still sent).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from resilience._context import scoped


class Degradation:
    """What was served in place of fresh answers.

    Attributes:
        fallbacks: Keys of the fallbacks that were served, in order, each once.
        stale: Whether any value came from the cache after its ttl.
        age: Age in seconds of the oldest cached value that was used, fresh or stale; None when none was.
    """

    __slots__ = ("age", "fallbacks", "stale")

    def __init__(self) -> None:
        self.fallbacks: list[str] = []
        self.stale = False
        self.age: float | None = None

    def __bool__(self) -> bool:
        return bool(self.fallbacks) or self.stale


_current: Final[ContextVar[Degradation | None]] = ContextVar("resilience_degradation", default=None)


@contextmanager
def track_degradation() -> Iterator[Degradation]:
    """Record in the yielded object what is served in place of fresh answers inside the block."""
    degradation = Degradation()
    with scoped(_current, degradation, "track_degradation()"):
        yield degradation


def current_degradation() -> Degradation | None:
    """Return the record of the innermost `track_degradation`, or None outside of any."""
    return _current.get()


def record_all(degradation: Degradation) -> None:
    """Record what another call was served, for a call that shares its answer."""
    for key in degradation.fallbacks:
        record_fallback(key)
    if degradation.age is not None:
        record_cached(degradation.age, stale=degradation.stale)


def record_fallback(key: str) -> None:
    """Record that a fallback was served."""
    current = _current.get()
    if current is not None and key not in current.fallbacks:
        current.fallbacks.append(key)


def record_cached(age: float, *, stale: bool) -> None:
    """Record that a cached value of this age, in seconds, was served."""
    current = _current.get()
    if current is not None:
        current.age = max(age, current.age or 0.0)
        current.stale = current.stale or stale
