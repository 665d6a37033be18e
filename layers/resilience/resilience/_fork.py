"""Resets in a forked child what it must not share with its parent: locks, threads, sockets, ids, rate-limit tokens.

A lock that another thread of the parent held during the fork would stay locked in the child forever, because that
thread does not exist there. So every object that holds a lock registers here and is reset in the child.
"""

from __future__ import annotations

import os
import weakref
from typing import Final, Protocol


class ForkAware(Protocol):
    """An object that is reset in a forked child."""

    def after_fork(self) -> None:
        """Replace locks and drop what belongs to the parent. Runs in the child, with one thread and no event loop."""


_registered: Final[weakref.WeakSet[ForkAware]] = weakref.WeakSet()


def register_after_fork(each: ForkAware) -> None:
    """Call the object's `after_fork` in every forked child, for as long as the object lives."""
    _registered.add(each)


def _run_after_fork() -> None:
    for each in list(_registered):
        each.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - not on Windows
    os.register_at_fork(after_in_child=_run_after_fork)
