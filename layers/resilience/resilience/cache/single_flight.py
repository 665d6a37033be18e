"""Single flight: concurrent callers of a key share one computation.

Plain callers share one flight per key and process, whatever their thread; async callers share one per event loop.

Followers wait for the leader and get its value or its error, each within its own deadline. When the leader is
cancelled, the computation continues for the others. A computation that ended only because of its leader (a deadline, a
cancellation) is repeated by a follower that has time left. LONGEST_WAIT seconds after a flight started no caller joins
it any more, so that a computation that hangs never blocks a key. When a key is invalidated, its flight is forgotten:
callers that already wait still get its value, but the value is not stored, and the next caller starts a new flight.
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
"""Prefix of a key that names its refresh: the flight that recomputes a value after a stale answer."""
LONGEST_WAIT: Final = 30.0
"""Seconds after which a computation is presumed to hang."""
_ROUNDS: Final = 3

Work = Callable[["Flight"], Coroutine[Any, Any, Any]]
_Name = tuple[str, "asyncio.AbstractEventLoop | None"]


class Flight:
    """A computation under way.

    Attributes:
        forgotten: Whether its key was invalidated, so that the value must not be stored.
        started: Start time on the monotonic clock, in seconds.
        thread: Id of the thread that started it.
        future: The result for followers in other threads.
        task: The computation in an event loop; None in plain code.
    """

    __slots__ = ("forgotten", "future", "started", "task", "thread")

    def __init__(self, started: float = 0.0) -> None:
        self.forgotten = False
        self.started = started
        self.thread = threading.get_ident()
        self.future: Future[Any] = Future()
        self.task: asyncio.Task[Any] | None = None


class SingleFlight:
    """The flights under way in one cache.

    Args:
        clock: Its monotonic clock measures how long a flight has been under way.
    """

    def __init__(self, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Drop all flights and replace the lock: flights complete only in the parent. See ForkAware."""
        self._flights: dict[_Name, Flight] = {}
        self._lock = threading.Lock()

    def forget(self, key: str) -> None:
        """Forget the flights of a key: no caller joins them any more, and their values are not stored."""
        with self._lock:
            for name in [name for name in self._flights if name[0] in (key, REFRESH + key)]:
                self._flights.pop(name).forgotten = True

    async def do_async(self, key: str, work: Work, joined: Callable[[], None]) -> Any:
        """Join a key's flight in this event loop, or start one as a separate task.

        Args:
            key: The cache key.
            work: Computes the value.
            joined: Called whenever this caller joins another's flight.

        Returns:
            The value.

        Raises:
            DeadlineExceededError: This caller's deadline ended first. Errors of the computation are raised as well.
        """
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
        """Join a key's flight in another thread, or compute the value in this one; see `do_async`."""
        for _ in range(_ROUNDS):
            flight, leads = self._join((key, None))
            if leads:
                return self._lead((key, None), flight, work)
            if flight.thread == threading.get_ident():
                break  # a recursive call: to wait for itself would deadlock
            joined()
            left, patience = remaining(), flight.started + LONGEST_WAIT - self._clock.steady()
            try:
                return flight.future.result(max(0.0, patience if left is None else min(left, patience)))
            except TimeoutError as error:  # includes its subclass DeadlineExceededError
                own_error = flight.future.done() and not isinstance(error, DeadlineExceededError)
                if own_error or remaining() == 0.0:
                    raise error if flight.future.done() else DeadlineExceededError(f"no time left for {key}") from None
            except Exception:
                raise
            except BaseException:
                if not flight.future.done():
                    raise  # it interrupted this thread, not the flight
        return run_plain(work(Flight()))

    def _join(self, name: _Name) -> tuple[Flight, bool]:
        """Return the flight to follow and False, or a new flight to lead and True."""
        now = self._clock.steady()
        with self._lock:
            flight = self._flights.get(name)
            if flight is not None and now < flight.started + LONGEST_WAIT:
                return flight, False
            for other in [other for other in self._flights if other[1] is not None and other[1].is_closed()]:
                del self._flights[other]  # its event loop is closed, so it can never complete
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
            task.exception()  # retrieved, because asyncio logs it otherwise when no caller waits any more


async def _wait(task: asyncio.Task[Any]) -> Any:
    """Wait for a task within this caller's deadline; the task continues if this caller stops waiting."""
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
    """Run a coroutine that never suspends to its end, without an event loop.

    Raises:
        RuntimeError: The coroutine suspended.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("a plain cached function waited for an event loop")
