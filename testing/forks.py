"""What a fork does to objects, without a process: a copy in which every lock stays locked, then renewed as a child is.

A real fork takes milliseconds, and its child's assertions arrive through a pipe: too slow and too far away for ten
thousand runs of a state machine. Real forks are in `tests/unit/resilience/test_fork.py`.
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
    """A lock that some thread of the parent held: in the child nobody will release it."""
    twin = threading.Lock()
    twin.acquire()
    return twin


def _unanswered(_: Future[Any], memo: dict[int, Any]) -> Future[Any]:
    """What a thread of the parent computes never arrives in the child."""
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
    """A copy of an object and all that it reaches, as a forked child has it.

    Args:
        parent: What the parent has.
        same: What both reach and is outside of either: the table, the machine itself.
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
