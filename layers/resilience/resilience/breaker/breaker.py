"""The public object: a circuit as a decorator, around a block, or through `call`, and what an operator does with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypeVar, cast, overload

from resilience import _background, _validation
from resilience._context import in_event_loop
from resilience._shared_state import SharedState
from resilience.breaker.admission import NO_RESULT, Admission
from resilience.breaker.publisher import Outcome
from resilience.breaker.states import CircuitSnapshot, CircuitState
from resilience.breaker.wrapper import wrap

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


class ProtectedFunction(Protocol[P, R_co]):
    """A function behind a circuit.

    Attributes:
        circuit_breaker: The circuit.
    """

    circuit_breaker: CircuitBreaker

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, or raise CircuitOpenError."""

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(
        self: ProtectedFunction[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None, /
    ) -> ProtectedFunction[Q, R_co]: ...


class CircuitBreaker(Admission):
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

    def __call__(self, function: Callable[P, R]) -> ProtectedFunction[P, R]:
        """Protect a plain or async function; the result carries this object as `.circuit_breaker`."""
        return cast("ProtectedFunction[P, R]", wrap(self, function))

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
        shared_state, order = self._order(state, seconds)
        if shared_state.store.blocking and in_event_loop():
            _background.submit(order, blocking=True)
        else:
            order()

    async def command_async(self, state: CircuitState, seconds: float | None = None) -> bool:
        """Carry out an order and wait until it is written; False when the store did not answer."""
        shared_state, order = self._order(state, seconds)
        return await _background.run(order, blocking=shared_state.store.blocking)

    def _order(self, state: CircuitState, seconds: float | None) -> tuple[SharedState, Callable[[], bool]]:
        shared_state, publisher = self._bound()
        record = self.circuit.command(state, self.config.clock.wall(), seconds)
        self.circuit.notifier.notify()
        return shared_state, lambda: publisher.publish(record, insist=True) is Outcome.WRITTEN

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
        self.share(self.on_result(permit, NO_RESULT, started))

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
        await self.share_async(self.on_result(permit, NO_RESULT, started))
