"""Carries out what a circuit decides: admits calls, runs elections, counts outcomes and publishes changes of state.

`wrapper` holds the fast path of a closed circuit; this module does the rest. A plain caller calls the store directly,
an async caller in a thread. That thread also applies the store's answer to the circuit, so a cancelled caller leaves
nothing half done.
"""

from __future__ import annotations

import threading
from typing import Final, Unpack

from resilience import _background, _validation
from resilience._fork import register_after_fork
from resilience._runtime import StoreBound, default_store
from resilience._shared_state import CIRCUIT, SharedState, shared_state_of
from resilience.breaker.circuit import Circuit
from resilience.breaker.config import CircuitConfig, CircuitSettings
from resilience.breaker.permit import ELECTION, Permit
from resilience.breaker.publisher import Publisher
from resilience.breaker.record import Record
from resilience.errors import CircuitOpenError
from resilience.store.protocol import Item

NO_RESULT: Final = object()
"""Passed to `on_result` for a protected block, which has no result."""
_ATTEMPTS = 3


class Admission(StoreBound):
    """Binds a circuit to a store and admits calls.

    Args:
        name: Names the circuit; not empty.
        settings: See CircuitConfig.

    Raises:
        ConfigurationError: A setting is out of range; names the field and the value.
    """

    def __init__(self, name: str, **settings: Unpack[CircuitSettings]) -> None:
        self.name = _validation.text("name", name)
        self.config = CircuitConfig(**settings)
        self.circuit = Circuit(name, self.config)
        self._binding: tuple[SharedState, Publisher] | None = None
        self._bind_lock = threading.Lock()
        register_after_fork(self)
        if self.config.store is None:
            self.follow_default()

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
        self._bind_lock = threading.Lock()

    def rebind(self) -> None:
        """Switch to the new default store. The state stays; its version is dropped, because it is the old store's."""
        self._binding = None
        with self.circuit.lock:
            self.circuit.version = 0
            self.circuit.fast_until = 0.0

    def restored(self) -> None:
        """Close the circuit until the store is read again: after a restore its record may be arbitrarily old."""
        self.circuit.forget()
        self.circuit.notifier.notify()

    def learn(self, item: Item) -> None:
        """Follow the record that another environment wrote, if its version is higher than the known one."""
        self.circuit.learn(item)
        self.circuit.notifier.notify()

    def _bound(self) -> tuple[SharedState, Publisher]:
        binding = self._binding
        if binding is None:
            with self._bind_lock:
                shared_state = shared_state_of(self.config.store or default_store(), self.config.refresh_seconds)
                binding = self._binding = (shared_state, Publisher(self.circuit, shared_state))
            shared_state.listen(CIRCUIT + self.name, self.learn)
        return binding

    def _refresh(self) -> tuple[float, float]:
        shared_state = self._bound()[0]
        shared_state.refresh_soon(self.config.clock)
        return shared_state.valid()

    def enter(self, now: float) -> Permit:
        """Admit a plain call that the fast path did not admit; run an election if one is due.

        Args:
            now: The wall clock, in Unix seconds.

        Raises:
            CircuitOpenError: The circuit is open, or another environment or call is probing.
        """
        for _ in range(_ATTEMPTS):
            permit = self.circuit.enter(now, self._refresh())
            if permit is not ELECTION:
                return permit
            won = self._bound()[1].elect()
            self.circuit.notifier.notify()
            if won is not None:
                return won
        raise CircuitOpenError(self.name, self.config.refresh_seconds)

    async def enter_async(self, now: float) -> Permit:
        """Admit an async call that the fast path did not admit; see `enter`."""
        for _ in range(_ATTEMPTS):
            permit = self.circuit.enter(now, self._refresh())
            if permit is not ELECTION:
                return permit
            shared_state, publisher = self._bound()
            won = await _background.run(
                publisher.elect, blocking=shared_state.store.blocking, unclaimed=self._unclaimed
            )
            self.circuit.notifier.notify()
            if won is not None:
                return won
        raise CircuitOpenError(self.name, self.config.refresh_seconds)

    def _unclaimed(self, permit: Permit | None) -> None:
        if permit is not None:  # pragma: no branch - cancelled, and another environment was first as well
            self.circuit.abandoned(permit)

    def _admit(self, now: float) -> Permit | None:
        circuit = self.circuit
        return circuit.permit if circuit.fast_from <= now < circuit.fast_until else None

    def started(self) -> float:
        """Return the monotonic clock, in seconds, as a call begins; 0.0 (clock not read) if slow calls do not count."""
        return self.config.clock.steady() if self.config.slow_call_seconds is not None else 0.0

    def on_error(self, permit: Permit, error: BaseException, started: float) -> Record | None:
        """Count the outcome of a call that raised.

        Returns:
            The record to publish if the state changed, else None.
        """
        verdict = self.circuit.classifier.classify(error)
        if verdict is None:
            self.circuit.abandoned(permit)
            return None
        now, slow = self.config.clock.wall(), self._slow(started)
        if verdict:
            return self.circuit.failed(permit, now, error=error, slow=slow)
        return self.circuit.succeeded(permit, now, slow=slow)

    def on_result(self, permit: Permit, result: object, started: float) -> Record | None:
        """Count the outcome of a call that returned.

        Returns:
            The record to publish if the state changed, else None.
        """
        now, slow = self.config.clock.wall(), self._slow(started)
        if result is not NO_RESULT and self.circuit.classifier.is_failed_result(result):
            return self.circuit.failed(permit, now, error=None, slow=slow)
        return self.circuit.succeeded(permit, now, slow=slow)

    def _slow(self, started: float) -> bool:
        limit = self.config.slow_call_seconds
        return limit is not None and self.config.clock.steady() - started > limit

    def share(self, record: Record | None) -> None:
        """Publish a change of state, if there is one, from a plain call."""
        if record is not None:
            self.circuit.notifier.notify()
            self._bound()[1].publish(record)
            self.circuit.notifier.notify()

    def share_soon(self, record: Record | None) -> None:
        """Publish a change of state, if there is one, without waiting, as in the callback of a future."""
        if record is not None:
            self.circuit.notifier.notify()
            shared_state, publisher = self._bound()
            _background.submit(lambda: publisher.publish(record), blocking=shared_state.store.blocking)

    async def share_async(self, record: Record | None) -> None:
        """Publish a change of state, if there is one, from an async call."""
        if record is not None:
            self.circuit.notifier.notify()
            shared_state, publisher = self._bound()
            await _background.run(lambda: publisher.publish(record), blocking=shared_state.store.blocking)
            self.circuit.notifier.notify()
