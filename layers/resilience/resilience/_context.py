"""Context variables that follow a request through its tasks, and a warning when a value was not visible."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

T = TypeVar("T")


def in_event_loop() -> bool:
    """Return whether the caller runs inside an event loop, where nothing may block."""
    return asyncio._get_running_loop() is not None  # noqa: SLF001 - the public function raises, and costs ten times as much


@contextmanager
def scoped(variable: ContextVar[T], value: T, name: str) -> Iterator[None]:
    """Set a context variable for a block.

    A framework may enter and leave the block in different contexts. If an event loop was running at the start, the task
    saw the value all the same. If not, the framework ran each step of a plain generator in a thread with its own copy
    of the context, and the code in between did not see the value: a RuntimeWarning says so.

    Args:
        variable: The variable to set.
        value: Its value inside the block.
        name: The public function that uses it, as named in the warning.
    """
    token, was_async = variable.set(value), in_event_loop()
    try:
        yield
    finally:
        try:
            variable.reset(token)
        except ValueError:
            if not was_async:
                warnings.warn(
                    f"{name} was left in another context than it was entered in, and what ran between could not see "
                    "it; a FastAPI dependency that uses it must be `async def`",
                    RuntimeWarning,
                    stacklevel=4,
                )
