"""A bulkhead: a fair limit on how many calls or connections are in use concurrently.

Slots are granted in first-in, first-out order: a newcomer never overtakes a waiter. A waiter that is cancelled or times
out just as it gets a slot passes the slot on. A pool outlives event loops: slots and waiters of a closed loop are
reclaimed.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, ParamSpec, Self, TypeVar, cast

from resilience import _validation, events
from resilience._clock import SYSTEM, Clock
from resilience._deadline import remaining
from resilience._fork import register_after_fork
from resilience._functions import LateAsync, is_async, mark, refuse_unsupported, update
from resilience.errors import BulkheadFullError

if TYPE_CHECKING:
    import asyncio

    _Loop = asyncio.AbstractEventLoop


P = ParamSpec("P")
R = TypeVar("R")


class _Waiter:
    """A task's place in the queue."""

    __slots__ = ("future", "granted", "loop")

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.granted = False

    def gone(self) -> bool:
        """Return whether the task no longer waits."""
        return self.loop.is_closed() or self.future.done()

    def grant(self, here: _Loop | None) -> None:
        """Wake the task; `here` is the event loop that runs in this thread, if any."""
        if self.loop is here:
            self.future.set_result(None)
        else:
            self.loop.call_soon_threadsafe(_resolve, self.future)


class _Threads:
    """A stand-in for an event loop, for slots held by threads."""

    def is_closed(self) -> bool:
        """Return False: unlike a loop, threads are never closed."""
        return False


_THREADS = _Threads()


class _ThreadWaiter:
    """A thread's place in the queue."""

    def __init__(self) -> None:
        self.loop = _THREADS
        self.ready = threading.Event()
        self.granted = False

    def gone(self) -> bool:
        """Return False: a thread that stops waiting leaves the queue itself."""
        return False

    def grant(self, _: _Loop | None) -> None:
        """Wake the thread."""
        self.ready.set()


class BulkheadStats(NamedTuple):
    """The figures of a pool at one moment; totals count since the pool was made, or since a fork.

    Attributes:
        active: Slots in use.
        limit: Slots in total.
        utilisation: active / limit, from 0.0 to 1.0.
        waiting: Callers in the queue.
        acquired: Total of slots granted.
        timeouts: Total of callers that timed out.
        wait_seconds_total: Total waiting time in seconds of callers that got a slot.
        wait_seconds_max: Longest waiting time in seconds of a caller that got a slot.
        peak: Highest number of slots in use at the same time.
    """

    active: int
    limit: int
    utilisation: float
    waiting: int
    acquired: int
    timeouts: int
    wait_seconds_total: float
    wait_seconds_max: float
    peak: int


class Bulkhead:
    """A pool of slots.

    Use `async with pool:`, or `await pool.acquire()` and `await pool.release()`; in plain code `with pool.slot():`.

    Args:
        limit: Number of slots, default 20; at least 1.
        timeout: Seconds to wait for a slot, default 10.0; None waits as long as the request's deadline allows.
        clock: Its monotonic clock measures waits.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    def __init__(self, limit: int = 20, *, timeout: float | None = 10.0, clock: Clock = SYSTEM) -> None:
        self.limit = _validation.whole("limit", limit)
        self.timeout = None if timeout is None else _validation.number("timeout", timeout)
        self._steady = clock.steady
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Forget holders, waiters and figures, which belong to the parent; see ForkAware."""
        self._lock = threading.Lock()
        self._acquired = self._timeouts = self._peak = 0
        self._waited = self._longest = 0.0
        self._holders: dict[_Loop | _Threads, int] = {}
        self._waiters: deque[_Waiter | _ThreadWaiter] = deque()

    async def acquire(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the wait is what it times
        """Take a slot, waiting in the queue if necessary.

        Args:
            timeout: Seconds to wait in this call; None uses the pool's timeout. The request's deadline shortens either.

        Raises:
            BulkheadFullError: No slot became free in time.
        """
        import asyncio

        loop = asyncio.get_running_loop()
        with self._lock:
            self._reclaim()
            if not self._waiters and self._active() < self.limit:
                self._grant(loop)
                return
            waiter = _Waiter(loop)
            self._waiters.append(waiter)
        began = self._steady()
        try:
            # Not wait_for: on Python 3.11 it swallows a cancellation that coincides with the grant.
            async with asyncio.timeout(self._wait_limit(timeout)):
                await waiter.future
        except TimeoutError:
            self._stop_waiting(waiter)
            self._timeouts += 1
            events.emit(events.POOL_TIMEOUT, "connection_pool", limit=self.limit)
            raise BulkheadFullError(self.limit, self._steady() - began) from None
        except BaseException:
            self._stop_waiting(waiter)
            raise
        waited = self._steady() - began
        self._waited, self._longest = self._waited + waited, max(self._longest, waited)

    @contextmanager
    def slot(self, timeout: float | None = None) -> Iterator[None]:
        """Hold a slot for a block of plain code, blocking this thread until one is free.

        Takes the argument of `acquire` and raises the same error.
        """
        with self._lock:
            self._reclaim()
            waiter = None
            if not self._waiters and self._active() < self.limit:
                self._grant(_THREADS)
            else:
                waiter = _ThreadWaiter()
                self._waiters.append(waiter)
        if waiter is not None:
            began = self._steady()
            try:
                granted = waiter.ready.wait(self._wait_limit(timeout))
            except BaseException:  # such as Ctrl-C in the main thread
                self._stop_waiting(waiter)
                raise
            if not granted:
                self._stop_waiting(waiter)
                self._timeouts += 1
                events.emit(events.POOL_TIMEOUT, "connection_pool", limit=self.limit)
                raise BulkheadFullError(self.limit, self._steady() - began)
            waited = self._steady() - began
            self._waited, self._longest = self._waited + waited, max(self._longest, waited)
        holders = self._holders
        try:
            yield
        finally:
            with self._lock:
                if holders is self._holders:  # after a fork, the slot belongs to the parent
                    self._drop(_THREADS)
                    self._grant_next()

    async def release(self) -> None:
        """Give a slot back; the first waiter in the queue gets it.

        Raises:
            RuntimeError: No task holds a slot.
        """
        self.release_nowait()

    def release_nowait(self) -> None:
        """Give a slot back without awaiting; see `release`."""
        loop = _running_loop()
        with self._lock:
            holder = (
                loop if loop in self._holders else next((each for each in self._holders if each is not _THREADS), None)
            )
            if holder is None:
                raise RuntimeError("release() without acquire(): no slot is in use")
            self._drop(holder)
            self._grant_next()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release_nowait()

    def get_stats(self) -> BulkheadStats:
        """Return the pool's current figures."""
        with self._lock:
            active = self._active()
            return BulkheadStats(
                active=active,
                limit=self.limit,
                utilisation=active / self.limit,
                waiting=len(self._waiters),
                acquired=self._acquired,
                timeouts=self._timeouts,
                wait_seconds_total=self._waited,
                wait_seconds_max=self._longest,
                peak=self._peak,
            )

    def _wait_limit(self, timeout: float | None) -> float | None:
        limits = [each for each in (self.timeout if timeout is None else timeout, remaining()) if each is not None]
        return min(limits) if limits else None

    def _active(self) -> int:
        return sum(self._holders.values())

    def _grant(self, loop: _Loop | _Threads) -> None:
        self._holders[loop] = self._holders.get(loop, 0) + 1
        self._acquired += 1
        self._peak = max(self._peak, self._active())

    def _drop(self, loop: _Loop | _Threads) -> None:
        self._holders[loop] -= 1
        if not self._holders[loop]:
            del self._holders[loop]

    def _reclaim(self) -> None:
        """Reclaim the slots and waiters of closed event loops."""
        for loop in [loop for loop in self._holders if loop.is_closed()]:
            del self._holders[loop]
        if any(waiter.loop.is_closed() for waiter in self._waiters):
            self._waiters = deque(waiter for waiter in self._waiters if not waiter.loop.is_closed())
        while self._waiters and self._active() < self.limit:
            if not self._grant_next():  # pragma: no cover - all that wait gave up at this moment
                break

    def _grant_next(self) -> bool:
        """Give a free slot to the first caller that still waits; return False if there is no slot or no such caller."""
        here = _running_loop()
        while self._waiters and self._active() < self.limit:
            waiter = self._waiters.popleft()
            if waiter.gone():
                continue
            waiter.granted = True
            self._grant(waiter.loop)
            waiter.grant(here)
            return True
        return False

    def _stop_waiting(self, waiter: _Waiter | _ThreadWaiter) -> None:
        """Leave the queue, or pass on a slot that was granted at the same moment."""
        with self._lock:
            if waiter.granted:
                self._drop(waiter.loop)
                self._grant_next()
            elif waiter in self._waiters:
                self._waiters.remove(waiter)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():  # pragma: no branch - its waiter gave up while the news were on their way
        future.set_result(None)


def _running_loop() -> _Loop | None:
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


connection_pool = Bulkhead()
"""The process-wide pool: 20 slots, and waits of at most 10 seconds."""


ConnectionPool = Bulkhead
"""The older name of Bulkhead; it holds slots, not connections."""

_named: dict[str, Bulkhead] = {}


def bulkhead(
    limit: int = 20, *, name: str | None = None, timeout: float | None = 10.0
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit how many calls to a dependency run concurrently; further calls wait in a queue.

    Args:
        limit: Maximum number of concurrent calls, default 20; at least 1.
        name: Bulkheads with the same name share one pool, which has the settings of the first. None makes a new pool
            for this decorator.
        timeout: Seconds to wait for a slot, default 10.0; None waits as long as the request's deadline allows.

    Returns:
        A decorator for plain and async functions; all that it decorates share the slots. The decorated function raises
        BulkheadFullError when no slot became free in time.

    Raises:
        ConfigurationError: A setting is out of range.
    """
    pool = Bulkhead(limit, timeout=timeout)
    if name is not None:
        pool = _named.setdefault(_validation.text("name", name), pool)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        refuse_unsupported(function)
        late = LateAsync()

        async def asynchronous(*args: Any, **kwargs: Any) -> Any:
            async with pool:
                return await cast("Callable[..., Any]", function)(*args, **kwargs)

        async def wait_for(coroutine: Any) -> Any:
            async with pool:
                return await coroutine

        def plain(*args: Any, **kwargs: Any) -> Any:
            if late.found:
                return asynchronous(*args, **kwargs)
            with pool.slot():
                result = function(*args, **kwargs)
            return wait_for(result) if late.is_coroutine(function, result) else result

        return cast("Callable[P, R]", update(asynchronous if is_async(function) else plain, function))

    return mark(decorate, "bulkhead")
