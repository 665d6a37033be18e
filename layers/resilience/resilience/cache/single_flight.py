"""One computation per key and process for concurrent callers (and one more for each further event loop).

Followers wait for the leader and get its value or its error, each within its own deadline. A computation continues for
the others when its leader is cancelled; one that ended only because of its leader (a deadline, a cancellation) is
repeated by a follower that has time left. After LONGEST_WAIT no caller joins it any more, so that a computation that
hangs never disables a key. One that was under way when its key was invalidated is forgotten: callers that already wait
still get its value, but it is not stored, and the next caller starts a new one.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Final

from resilience._clock import SYSTEM, Clock
from resilience._deadline import remaining
from resilience._fork import register_after_fork
from resilience.errors import DeadlineExceededError

REFRESH: Final = "refresh "
"""Before a key: the flight that refreshes it behind a stale answer."""
LONGEST_WAIT: Final = 30.0
"""Seconds after which a computation is taken for one that hangs."""
_ROUNDS: Final = 3

Work = Callable[["Flight"], Coroutine[Any, Any, Any]]
_Name = tuple[str, "asyncio.AbstractEventLoop | None"]


class Flight:
    """A computation under way.

    Attributes:
        forgotten: Its value must not be kept.
    """

    __slots__ = ("forgotten", "future", "started", "task", "thread")

    def __init__(self, started: float = 0.0) -> None:
        self.forgotten = False
        self.started = started
        self.thread = threading.get_ident()
        self.future: Future[Any] = Future()
        self.task: asyncio.Task[Any] | None = None


class SingleFlight:
    """The computations under way in one cache.

    Args:
        clock: Its steady clock tells how long they take.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """See ForkAware: what is under way is under way in the parent."""
        self._flights: dict[_Name, Flight] = {}
        self._lock = threading.Lock()

    def forget(self, key: str) -> None:
        """Keep what is being computed for a key from being stored or joined."""
        with self._lock:
            for name in [name for name in self._flights if name[0] in (key, REFRESH + key)]:
                self._flights.pop(name).forgotten = True

    async def do_async(self, key: str, work: Work, joined: Callable[[], None]) -> Any:
        """Join the computation of a key in this loop, or start it as a task of its own."""
        loop = asyncio.get_running_loop()
        for _ in range(_ROUNDS):
            flight, leads = self._join((key, loop))
            if leads:
                flight.task = loop.create_task(work(flight))
                flight.task.add_done_callback(functools.partial(self._finished, (key, loop), flight))
            else:
                joined()
            task = flight.task
            if task is None:  # pragma: no cover - for the type checker: whoever leads makes it before anything else
                break
            try:
                return await _wait(task)
            except asyncio.CancelledError:
                if leads or not task.cancelled() or _is_cancelled():
                    raise
            except DeadlineExceededError:
                if leads or not task.done() or remaining() == 0.0:
                    raise
        return await work(Flight())

    def do(self, key: str, work: Work, joined: Callable[[], None]) -> Any:
        """Join the computation of a key in another thread, or do it here."""
        for _ in range(_ROUNDS):
            flight, leads = self._join((key, None))
            if leads:
                return self._lead((key, None), flight, work)
            if flight.thread == threading.get_ident():
                break  # it asks for itself: waiting would never end
            joined()
            left, patience = remaining(), flight.started + LONGEST_WAIT - self._clock.steady()
            try:
                return flight.future.result(max(0.0, patience if left is None else min(left, patience)))
            except TimeoutError as error:  # DeadlineExceededError is one as well
                own_error = flight.future.done() and not isinstance(error, DeadlineExceededError)
                if own_error or remaining() == 0.0:
                    raise error if flight.future.done() else DeadlineExceededError(f"no time left for {key}") from None
            except Exception:
                raise
            except BaseException:
                if not flight.future.done():
                    raise  # this thread's own
        return run_plain(work(Flight()))

    def _join(self, name: _Name) -> tuple[Flight, bool]:
        """The flight to join, or a new one to lead."""
        now = self._clock.steady()
        with self._lock:
            flight = self._flights.get(name)
            if flight is not None and now < flight.started + LONGEST_WAIT:
                return flight, False
            for other in [other for other in self._flights if other[1] is not None and other[1].is_closed()]:
                del self._flights[other]  # it never lands
            flight = self._flights[name] = Flight(now)
            return flight, True

    def _lead(self, name: _Name, flight: Flight, work: Work) -> Any:
        try:
            value = run_plain(work(flight))
        except BaseException as error:
            self._remove(name, flight)
            flight.future.set_exception(error)
            raise
        self._remove(name, flight)
        flight.future.set_result(value)
        return value

    def _remove(self, name: _Name, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(name) is flight:
                del self._flights[name]

    def _finished(self, name: _Name, flight: Flight, task: asyncio.Task[Any]) -> None:
        self._remove(name, flight)
        if not task.cancelled():
            task.exception()  # looked at, in case that nobody waits any more


async def _wait(task: asyncio.Task[Any]) -> Any:
    """Wait for a task that goes on without this caller, within this caller's deadline."""
    limit = asyncio.timeout(remaining())
    try:
        async with limit:
            return await asyncio.shield(task)
    except TimeoutError:
        if limit.expired() and not task.done():
            raise DeadlineExceededError("no time left to wait for a value") from None
        raise


def _is_cancelled() -> bool:
    current = asyncio.current_task()
    return current is not None and current.cancelling() > 0


def run_plain(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never really waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("a plain cached function waited for an event loop")
