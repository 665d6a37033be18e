"""One computation a key and process, however many ask at once.

Followers wait for the leader and get its value or its error. A computation runs on when the one who started it is
cancelled, for the others. One that was under way when its key was invalidated is disowned: who waits still gets its
value (they asked before), but it is not kept, and who asks from now on starts a new one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from resilience._fork import renew_in_child

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

REFRESH = "refresh "
"""Before a key: the flight that refreshes it behind a stale answer."""

Work = Callable[["Flight"], Coroutine[Any, Any, Any]]


class Flight:
    """A computation under way."""

    __slots__ = ("disowned", "future", "task", "thread")

    def __init__(self) -> None:
        self.disowned = False
        self.thread = threading.get_ident()
        self.future: Future[Any] | None = None
        self.task: asyncio.Task[Any] | None = None


class Flights:
    """The computations under way in one cache."""

    def __init__(self) -> None:
        self.after_fork()
        renew_in_child(self)

    def after_fork(self) -> None:
        """See Renewable: what is under way is under way in the parent."""
        self._flights: dict[str, Flight] = {}
        self._lock = threading.Lock()

    def disown(self, key: str) -> None:
        """Keep what is being computed for a key from being stored or joined."""
        with self._lock:
            for name in (key, REFRESH + key):
                flight = self._flights.pop(name, None)
                if flight is not None:
                    flight.disowned = True

    def _land(self, key: str, flight: Flight) -> None:
        with self._lock:
            if self._flights.get(key) is flight:
                del self._flights[key]

    def _landed(self, key: str, flight: Flight, task: asyncio.Task[Any]) -> None:
        self._land(key, flight)
        if not task.cancelled():  # pragma: no branch - its loop is being closed
            task.exception()  # looked at, in case that nobody waits any more

    async def share_async(self, key: str, work: Work, joined: Callable[[], None]) -> Any:
        """Join the computation of a key, or start it as a task of its own."""
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            flight = self._flights.get(key)
            if flight is None or flight.task is None or flight.task.get_loop() is not loop:
                # A flight of another loop cannot be joined from here, and one of a dead loop never lands.
                flight = self._flights[key] = Flight()
        if flight.task is None:
            own = flight
            task = flight.task = loop.create_task(work(own))
            task.add_done_callback(lambda done: self._landed(key, own, done))
        else:
            joined()
        return await asyncio.shield(flight.task)

    def share(self, key: str, work: Work, joined: Callable[[], None]) -> Any:
        """Join the computation of a key in another thread, or do it here."""
        from concurrent.futures import Future

        with self._lock:
            flight = self._flights.get(key)
            leads = flight is None or flight.future is None
            if flight is None or leads:
                flight = self._flights[key] = Flight()
                flight.future = Future()
        future = flight.future
        if not leads and future is not None:
            if flight.thread == threading.get_ident():
                return run_plain(work(flight))  # it asks for itself: waiting would never end
            joined()
            return future.result()
        try:
            value = run_plain(work(flight))
        except BaseException as error:
            self._land(key, flight)
            if future is not None:  # pragma: no branch - for the type checker
                future.set_exception(error)
            raise
        self._land(key, flight)
        if future is not None:  # pragma: no branch - for the type checker
            future.set_result(value)
        return value


def run_plain(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine that never really waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    raise RuntimeError("a plain cached function waited for an event loop")
