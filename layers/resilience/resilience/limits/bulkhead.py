"""A limit on how many connections are used at once, fair to those who wait.

Slots are granted in the order of the requests: a newcomer never overtakes a waiter. A waiter that is cancelled or times
out passes on what it was just given. The pool outlives event loops: slots and waiters of a loop that was closed are
taken back.
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
    """A place in the queue."""

    __slots__ = ("future", "granted", "loop")

    def __init__(self, loop: _Loop) -> None:
        self.loop = loop
        self.future: asyncio.Future[None] = loop.create_future()
        self.granted = False

    def gone(self) -> bool:
        """Whether nobody waits here any more."""
        return self.loop.is_closed() or self.future.done()

    def grant(self, here: _Loop | None) -> None:
        """Wake the waiter up."""
        if self.loop is here:
            self.future.set_result(None)
        else:
            self.loop.call_soon_threadsafe(_resolve, self.future)


class _Threads:
    """Stands in for an event loop, for slots held by threads."""

    def is_closed(self) -> bool:
        """Threads never are."""
        return False


_THREADS = _Threads()


class _ThreadWaiter:
    """A thread's place in the queue."""

    def __init__(self) -> None:
        self.loop = _THREADS
        self.ready = threading.Event()
        self.granted = False

    def gone(self) -> bool:
        """Whether nobody waits here any more."""
        return False

    def grant(self, _: _Loop | None) -> None:
        """Wake the thread up."""
        self.ready.set()


class BulkheadStats(NamedTuple):
    """A pool at one moment.

    Attributes:
        active: Slots in use.
        limit: Slots in total.
        utilisation: active / limit, from 0.0 to 1.0.
        waiting: Callers in the queue.
        acquired: Slots handed out since the start.
        timeouts: Callers that gave up since the start.
        wait_seconds_total: Time spent waiting by all who got a slot.
        wait_seconds_max: The longest wait of one who got a slot.
        peak: Most slots in use at once.
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
    """A pool of slots: `async with pool:`, or `await pool.acquire()` and `await pool.release()`.

    Args:
        limit: Slots, default 20; at least 1.
        timeout: Seconds to wait for one, default 10.0; None waits as long as the deadline allows.
        clock: Its steady clock measures waits.

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
        """See ForkAware: holders and waiters are the parent's."""
        self._lock = threading.Lock()
        self._acquired = self._timeouts = self._peak = 0
        self._waited = self._longest = 0.0
        self._holders: dict[_Loop | _Threads, int] = {}
        self._waiters: deque[_Waiter | _ThreadWaiter] = deque()

    async def acquire(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - the wait is what it times
        """Take a slot, waiting in turn.

        Args:
            timeout: Seconds for this call; None takes the pool's. The request's deadline shortens either.

        Raises:
            BulkheadFullError: None became free in time.
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
            # Not wait_for: on 3.11 it swallows a cancellation that meets the grant.
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
        """A slot for a block of plain code; blocks this thread until one is free. See `acquire`."""
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
            if not waiter.ready.wait(self._wait_limit(timeout)):
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
                if holders is self._holders:  # otherwise there was a fork, and the slot is the parent's
                    self._drop(_THREADS)
                    self._grant_next()

    async def release(self) -> None:
        """Give a slot back; the first in the queue gets it.

        Raises:
            RuntimeError: No slot is in use.
        """
        self.release_nowait()

    def release_nowait(self) -> None:
        """Give a slot back from where nothing can be awaited; see `release`."""
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
        """The pool's figures now."""
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
        """Take back what belongs to closed loops."""
        for loop in [loop for loop in self._holders if loop.is_closed()]:
            del self._holders[loop]
        if any(waiter.loop.is_closed() for waiter in self._waiters):
            self._waiters = deque(waiter for waiter in self._waiters if not waiter.loop.is_closed())
        while self._waiters and self._active() < self.limit:
            if not self._grant_next():  # pragma: no cover - all that wait gave up at this moment
                break

    def _grant_next(self) -> bool:
        """Give a free slot to the first waiter whose loop lives."""
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
        """Leave the queue, or pass on the slot that was granted at the same moment."""
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
"""The process's pool: 20 slots, 10 seconds of waiting."""


ConnectionPool = Bulkhead
"""The same under its older name; it holds slots and no connections."""

_named: dict[str, Bulkhead] = {}


def bulkhead(
    limit: int = 20, *, name: str | None = None, timeout: float | None = 10.0
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Limit how many calls to a dependency run at the same time; the others wait in turn.

    Args:
        limit: Calls at once, default 20.
        name: Bulkheads with the same name are one, made by the first. None: one per decorator.
        timeout: Seconds to wait for a place, default 10.0; None waits as long as the deadline allows.

    Returns:
        A decorator for plain and async functions, which share the places. The decorated function raises
        BulkheadFullError when no place became free.

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
