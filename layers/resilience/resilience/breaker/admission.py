"""What a circuit decides, carried out: which calls are admitted, what their outcomes change, and who is told.

The closed path is in `wrapper`. Here is the rest: admission when the fast path did not, elections, outcomes, sharing. A
plain caller reaches the store directly, an async caller through a thread; what changes, changes inside that thread, so
that a cancelled caller leaves nothing half done.
"""

from __future__ import annotations

import threading
from typing import Final, Unpack

from resilience import _background, _validation
from resilience._fork import register_after_fork
from resilience._runtime import StoreBound, default_store
from resilience._shared_state import CIRCUIT, SharedState, shared_state_of
from resilience.breaker.circuit import ELECTION, Circuit, Permit
from resilience.breaker.config import CircuitConfig, CircuitSettings
from resilience.breaker.publisher import Publisher
from resilience.breaker.record import Record
from resilience.errors import CircuitOpenError
from resilience.store.protocol import Item

NO_RESULT: Final = object()
"""In place of a call's result, where a block was protected."""
_ATTEMPTS = 3


class Admission(StoreBound):
    """Binds a circuit to a store, and lets calls through it.

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
        """See ForkAware."""
        self._bind_lock = threading.Lock()

    def rebind(self) -> None:
        """Use another default store from now on; the state stays, its version belongs to the old store."""
        self._binding = None
        with self.circuit.lock:
            self.circuit.version = 0
            self.circuit.fast_until = 0.0

    def restored(self) -> None:
        """Know nothing of the others until they are asked: a snapshot may be of any age."""
        self.circuit.forget()
        self.circuit.notifier.notify()

    def learn(self, item: Item) -> None:
        """Believe what another environment wrote, if it is newer than what is known."""
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
        """Admit a plain call that the fast path did not, or raise CircuitOpenError."""
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
        """Admit an async call that the fast path did not, or raise CircuitOpenError."""
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
        """The beginning of a call, for the slow-call rate; free when that is off."""
        return self.config.clock.steady() if self.config.slow_call_seconds is not None else 0.0

    def on_error(self, permit: Permit, error: BaseException, started: float) -> Record | None:
        """Count what an error says; returns what must be shared."""
        verdict = self.circuit.classifier.classify(error)
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
        if result is not NO_RESULT and self.circuit.classifier.is_failed_result(result):
            return self.circuit.failed(permit, now, error=None, slow=slow)
        return self.circuit.succeeded(permit, now, slow=slow)

    def _slow(self, started: float) -> bool:
        limit = self.config.slow_call_seconds
        return limit is not None and self.config.clock.steady() - started > limit

    def share(self, record: Record | None) -> None:
        """Share a change from a plain call."""
        if record is not None:
            self.circuit.notifier.notify()
            self._bound()[1].publish(record)
            self.circuit.notifier.notify()

    def share_soon(self, record: Record | None) -> None:
        """Share a change from where nothing may wait."""
        if record is not None:
            self.circuit.notifier.notify()
            shared_state, publisher = self._bound()
            _background.submit(lambda: publisher.publish(record), blocking=shared_state.store.blocking)

    async def share_async(self, record: Record | None) -> None:
        """Share a change from an async call."""
        if record is not None:
            self.circuit.notifier.notify()
            shared_state, publisher = self._bound()
            await _background.run(lambda: publisher.publish(record), blocking=shared_state.store.blocking)
            self.circuit.notifier.notify()
