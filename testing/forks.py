"""Simulates what a fork does to objects: a copy in which every lock stays locked, then reset as in a forked child.

A real fork takes milliseconds, and the results of the child's assertions have to come back through a pipe: too slow and
too awkward for ten thousand runs of a state machine. Real forks are in `tests/unit/resilience/test_fork.py`.
"""

from __future__ import annotations

import copy
import threading
import weakref
from concurrent.futures import Future
from typing import Any, TypeVar

from resilience import _fork
from resilience.testing import ManualClock

T = TypeVar("T")


def _locked(_: Any, memo: dict[int, Any]) -> Any:
    """Return a lock as if a thread of the parent had held it: in the child nobody will release it."""
    twin = threading.Lock()
    twin.acquire()
    return twin


def _unanswered(_: Future[Any], memo: dict[int, Any]) -> Future[Any]:
    """Return a future that never completes: the thread that would complete it exists in the parent only."""
    return Future()


def _method(reference: weakref.WeakMethod[Any], memo: dict[int, Any]) -> weakref.WeakMethod[Any]:
    method = reference()
    return reference if method is None else weakref.WeakMethod(copy.deepcopy(method, memo))


def _clock(clock: ManualClock, memo: dict[int, Any]) -> ManualClock:
    twin = ManualClock(clock.wall())
    twin._steady = clock.steady()
    return twin


_COPIED = {type(threading.Lock()): _locked, Future: _unanswered, weakref.WeakMethod: _method, ManualClock: _clock}


def child_of(parent: T, *same: object) -> T:
    """Return a copy of an object and everything that it refers to, as a forked child has it.

    Args:
        parent: The parent's object.
        same: Objects that are outside of both processes and therefore not copied: the shared table, the state machine.
    """
    memo: dict[int, Any] = {id(each): each for each in same}
    copiers: dict[type, Any] = copy._deepcopy_dispatch  # type: ignore[attr-defined]
    copiers.update(_COPIED)
    try:
        child = copy.deepcopy(parent, memo)
    finally:
        for kind in _COPIED:
            del copiers[kind]
    for each in list(_fork._registered):
        copied = memo.get(id(each), each)
        if copied is not each:
            _fork.register_after_fork(copied)
            copied.after_fork()
    return child
