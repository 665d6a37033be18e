"""The public circuit breaker: a decorator, a context manager and `call`, and the operator's commands."""

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
    """A function protected by a circuit.

    Attributes:
        circuit_breaker: The circuit.
    """

    circuit_breaker: CircuitBreaker

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function, or raise CircuitOpenError while the circuit is open."""

    @overload
    def __get__(self, instance: None, owner: type | None = None, /) -> Self: ...
    @overload
    def __get__(
        self: ProtectedFunction[Concatenate[Any, Q], R_co], instance: object, owner: type | None = None, /
    ) -> ProtectedFunction[Q, R_co]: ...


class CircuitBreaker(Admission):
    """A circuit breaker as an object: use it as a decorator, as a context manager (`guard`), or through `call`.

    Functions that share one object share its counts. Objects with the same name share the state through the store, in
    this environment and in others.

    Args:
        name: Names the circuit; not empty.
        settings: See CircuitConfig.

    Raises:
        ConfigurationError: A setting is out of range; names the field and the value.
    """

    policy = "circuit_breaker"

    def __call__(self, function: Callable[P, R]) -> ProtectedFunction[P, R]:
        """Protect a plain or async function.

        Returns:
            The protected function; it carries this object as `.circuit_breaker`.

        Raises:
            ConfigurationError: Calling the function cannot tell whether it failed (a generator, a class).
        """
        return cast("ProtectedFunction[P, R]", wrap(self, function))

    def call(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call a plain function through the circuit and return its result.

        Raises:
            CircuitOpenError: The circuit is open; the function was not called.
        """
        return self(function)(*args, **kwargs)

    async def call_async(self, function: Callable[P, Awaitable[R]], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call an async function through the circuit and return its result.

        Raises:
            CircuitOpenError: The circuit is open; the function was not called.
        """
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

    # ------------------------------------------------------------------ operator commands

    def get_state(self) -> CircuitState:
        """Return the state as known in this environment: "closed", "open" or "half_open".

        If the snapshot is older than `refresh_seconds`, it is read again; a blocking store is read in the background,
        so the returned state may be stale.
        """
        self._refresh()
        return self.circuit.state

    def snapshot(self) -> CircuitSnapshot:
        """Return the state and counts as known in this environment, which may be stale as in `get_state`."""
        self._refresh()
        return self.circuit.snapshot(self.config.clock.wall())

    def reset(self) -> None:
        """Close the circuit: here at once, in every other environment within `refresh_seconds`.

        In an event loop, a blocking store is written in the background. If the store does not answer, only this
        object changes; `command_async` reports that.
        """
        self._command(CircuitState.CLOSED)

    def force_open(self, seconds: float | None = None) -> None:
        """Open the circuit: here at once, in every other environment within `refresh_seconds`; see `reset`.

        Args:
            seconds: Seconds after which it may be probed; None keeps it open until `reset`.

        Raises:
            ConfigurationError: `seconds` is not more than 0.
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
        """Apply an operator's command here and wait until it is written.

        Args:
            state: CLOSED resets the circuit, OPEN forces it open.
            seconds: Seconds after which an opened circuit may be probed; None keeps it open until a reset.

        Returns:
            False when it was not written: the store did not answer, or a newer change overtook it.
        """
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
        """Protect a block of plain code. It has no result for `is_failure`: only errors and duration count.

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
