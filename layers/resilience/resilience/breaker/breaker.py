"""The public object: binds a circuit to a store, and carries out what the circuit decides, for plain and async callers.

The closed path is in `_wrap`. Here is the rest: admission when the fast path did not, elections, outcomes, sharing. A
plain caller reaches the store directly, an async caller through a thread; what changes, changes inside that thread, so
that a cancelled caller leaves nothing half done.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, ParamSpec, TypeVar, Unpack

from resilience import _background, _validation
from resilience._context import in_event_loop
from resilience._fork import renew_in_child
from resilience._runtime import Bound, default_store
from resilience._shared_state import CIRCUIT, Control, control_of
from resilience.breaker.circuit import ELECTION, Circuit, Permit
from resilience.breaker.config import CircuitConfig, CircuitSettings
from resilience.breaker.publisher import Outcome, Publisher
from resilience.breaker.record import Record
from resilience.breaker.states import CircuitSnapshot, CircuitState
from resilience.breaker.wrapper import ProtectedFunction, wrap
from resilience.errors import CircuitOpenError
from resilience.store.protocol import Item

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

P = ParamSpec("P")
R = TypeVar("R")

_ATTEMPTS = 3


class CircuitBreaker(Bound):
    """A circuit breaker as an object: use it as a decorator, as a context manager (`guard`), or through `call`.

    Functions that share one object share its counts. Objects with the same name, here or in other environments, share
    the state, through the store.

    Args:
        name: Names the circuit; not empty.
        settings: See CircuitConfig.

    Raises:
        ConfigurationError: A setting is out of range; names the field and the value.
    """

    policy = "circuit_breaker"

    def __init__(self, name: str, **settings: Unpack[CircuitSettings]) -> None:
        self.name = _validation.text("name", name)
        self.config = CircuitConfig(**settings)
        self.circuit = Circuit(name, self.config)
        self._binding: tuple[Control, Publisher] | None = None
        self._bind_lock = threading.Lock()
        renew_in_child(self)
        if self.config.store is None:
            self.follow_default()

    def after_fork(self) -> None:
        """See Renewable."""
        self._bind_lock = threading.Lock()

    def __call__(self, function: Callable[P, R]) -> ProtectedFunction[P, R]:
        """Protect a plain or async function; the result carries this object as `.circuit_breaker`."""
        return wrap(self, function)

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a plain function through the circuit."""
        return self(function)(*args, **kwargs)

    async def call_async(self, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call an async function through the circuit."""
        now = self.config.clock.wall()
        permit = self._admit(now) or await self.enter_async(now)
        started = self.started()
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            await self.share_async(self.on_error(permit, error, started))
            raise
        await self.share_async(self.on_result(permit, result, started))
        return result

    # ------------------------------------------------------------------ what an operator does

    def get_state(self) -> CircuitState:
        """The state as known here: "closed", "open" or "half_open". Older than `refresh_seconds`, it is read again."""
        self._refresh()
        return self.circuit.state

    def snapshot(self) -> CircuitSnapshot:
        """The circuit's figures as known here."""
        self._refresh()
        return self.circuit.snapshot(self.config.clock.wall())

    def reset(self) -> None:
        """Close the circuit, here at once and in every environment within `refresh_seconds`."""
        self._command(CircuitState.CLOSED)

    def force_open(self, seconds: float | None = None) -> None:
        """Open the circuit, here at once and in every environment within `refresh_seconds`.

        Args:
            seconds: Probe after so long; None keeps it open until `reset`.
        """
        if seconds is not None:
            _validation.seconds("seconds", seconds)
        self._command(CircuitState.OPEN, seconds)

    def _command(self, state: CircuitState, seconds: float | None = None) -> None:
        control, order = self._order(state, seconds)
        if control.store.blocking and in_event_loop():
            _background.soon(order, blocking=True)
        else:
            order()

    async def command_async(self, state: CircuitState, seconds: float | None = None) -> bool:
        """Carry out an order and wait until it is written; False when the store did not answer."""
        control, order = self._order(state, seconds)
        return await _background.run(order, blocking=control.store.blocking)

    def _order(self, state: CircuitState, seconds: float | None) -> tuple[Control, Callable[[], bool]]:
        control, publisher = self._bound()
        record = self.circuit.command(state, self.config.clock.wall(), seconds)
        self.circuit.changes.tell()
        return control, lambda: publisher.publish(record, insist=True) is Outcome.WRITTEN

    # ------------------------------------------------------------------ the store behind it

    def rebind(self) -> None:
        """Use another default store from now on; the state stays, its version belongs to the old store."""
        self._binding = None
        with self.circuit.lock:
            self.circuit.version = 0
            self.circuit.fast_until = 0.0

    def restored(self) -> None:
        """Know nothing of the others until they are asked: a snapshot may be of any age."""
        self.circuit.forget()
        self.circuit.changes.tell()

    def learn(self, item: Item) -> None:
        """Believe what another environment wrote, if it is newer than what is known."""
        self.circuit.learn(item)
        self.circuit.changes.tell()

    def _bound(self) -> tuple[Control, Publisher]:
        binding = self._binding
        if binding is None:
            with self._bind_lock:
                control = control_of(self.config.store or default_store(), self.config.refresh_seconds)
                binding = self._binding = (control, Publisher(self.circuit, control))
            control.listen(CIRCUIT + self.name, self.learn)
        return binding

    def _refresh(self) -> tuple[float, float]:
        control = self._bound()[0]
        control.refresh_soon(self.config.clock)
        return control.valid()

    # ------------------------------------------------------------------ admission

    def enter(self, now: float) -> Permit:
        """Admit a plain call that the fast path did not, or raise CircuitOpenError."""
        for _ in range(_ATTEMPTS):
            permit = self.circuit.enter(now, self._refresh())
            if permit is not ELECTION:
                return permit
            won = self._bound()[1].elect()
            self.circuit.changes.tell()
            if won is not None:
                return won
        raise CircuitOpenError(self.name, self.config.refresh_seconds)

    async def enter_async(self, now: float) -> Permit:
        """Admit an async call that the fast path did not, or raise CircuitOpenError."""
        for _ in range(_ATTEMPTS):
            permit = self.circuit.enter(now, self._refresh())
            if permit is not ELECTION:
                return permit
            control, publisher = self._bound()
            won = await _background.run(publisher.elect, blocking=control.store.blocking, unclaimed=self._unclaimed)
            self.circuit.changes.tell()
            if won is not None:
                return won
        raise CircuitOpenError(self.name, self.config.refresh_seconds)

    def _unclaimed(self, permit: Permit | None) -> None:
        if permit is not None:  # pragma: no branch - cancelled, and another environment was first as well
            self.circuit.abandoned(permit)

    # ------------------------------------------------------------------ outcomes

    def started(self) -> float:
        """The beginning of a call, for the slow-call rate; free when that is off."""
        return self.config.clock.steady() if self.config.slow_call_seconds is not None else 0.0

    def on_error(self, permit: Permit, error: BaseException, started: float) -> Record | None:
        """Count what an error says; returns what must be shared."""
        verdict = self.circuit.judge.verdict(error)
        if verdict is None:
            self.circuit.abandoned(permit)
            return None
        now, slow = self.config.clock.wall(), self._slow(started)
        if verdict:
            return self.circuit.failed(permit, now, error=error, slow=slow)
        return self.circuit.succeeded(permit, now, slow=slow)

    def on_result(self, permit: Permit, result: object, started: float) -> Record | None:
        """Count what a result says; returns what must be shared."""
        now, slow = self.config.clock.wall(), self._slow(started)
        if result is not _UNSEEN and self.circuit.judge.fails(result):
            return self.circuit.failed(permit, now, error=None, slow=slow)
        return self.circuit.succeeded(permit, now, slow=slow)

    def _slow(self, started: float) -> bool:
        limit = self.config.slow_call_seconds
        return limit is not None and self.config.clock.steady() - started > limit

    def share(self, record: Record | None) -> None:
        """Share a change from a plain call."""
        if record is not None:
            self.circuit.changes.tell()
            self._bound()[1].publish(record)
            self.circuit.changes.tell()

    def share_soon(self, record: Record | None) -> None:
        """Share a change from where nothing may wait."""
        if record is not None:
            self.circuit.changes.tell()
            control, publisher = self._bound()
            _background.soon(lambda: publisher.publish(record), blocking=control.store.blocking)

    async def share_async(self, record: Record | None) -> None:
        """Share a change from an async call."""
        if record is not None:
            self.circuit.changes.tell()
            control, publisher = self._bound()
            await _background.run(lambda: publisher.publish(record), blocking=control.store.blocking)
            self.circuit.changes.tell()

    # ------------------------------------------------------------------ as a context manager

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Protect a block of plain code; `is_failure` is not asked, only errors and time count.

        Raises:
            CircuitOpenError: The circuit is open; the block does not run.
        """
        permit, started = self._admit(self.config.clock.wall()) or self.enter(self.config.clock.wall()), self.started()
        try:
            yield
        except BaseException as error:
            self.share(self.on_error(permit, error, started))
            raise
        self.share(self.on_result(permit, _UNSEEN, started))

    @asynccontextmanager
    async def guard_async(self) -> AsyncIterator[None]:
        """Protect a block of async code; see `guard`."""
        now = self.config.clock.wall()
        permit = self._admit(now) or await self.enter_async(now)
        started = self.started()
        try:
            yield
        except BaseException as error:
            await self.share_async(self.on_error(permit, error, started))
            raise
        await self.share_async(self.on_result(permit, _UNSEEN, started))

    def _admit(self, now: float) -> Permit | None:
        circuit = self.circuit
        return circuit.permit if circuit.fast_from <= now < circuit.fast_until else None


_UNSEEN = object()
