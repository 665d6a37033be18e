"""The circuits of the whole fleet, for an operator, including those that no function of this environment uses."""

from __future__ import annotations

from typing import NamedTuple

from resilience import _background, _validation
from resilience._clock import SYSTEM, Clock
from resilience._runtime import default_shared_state
from resilience._shared_state import CIRCUIT
from resilience.breaker.breaker import CircuitBreaker
from resilience.breaker.record import CircuitChange, from_item, history_of
from resilience.breaker.states import CircuitState


class SharedCircuit(NamedTuple):
    """A circuit according to its shared record. A circuit whose state never changed has none.

    Attributes:
        name: The circuit's name.
        state: Its state.
        reason: Why it is in this state; see CircuitTransition.
        opens: How often it opened without closing in between.
        retry_after: Seconds until it may be probed; 0.0 when it is not open, may be probed now, or is forced.
        forced: True when an operator opened it without an end.
        history: Its last changes, oldest first, at most 20.
    """

    name: str
    state: CircuitState
    reason: str
    opens: int
    retry_after: float
    forced: bool
    history: tuple[CircuitChange, ...] = ()


def shared_circuits(*, clock: Clock = SYSTEM) -> tuple[SharedCircuit, ...]:
    """Return every circuit whose state ever changed, ordered by name, from the shared snapshot of the default store.

    If the snapshot is due, it is read first. A blocking store is read in the background instead, so the result may be
    stale; `shared_circuits_async` waits for it.

    Args:
        clock: The wall clock and the monotonic clock.
    """
    shared_state = default_shared_state()
    shared_state.refresh_soon(clock)
    now, found = clock.wall(), []
    for sk, item in sorted(shared_state.items.items()):
        if sk.startswith(CIRCUIT):
            record = from_item(item)
            wait = max(0.0, record.retry_at - now) if record.state is CircuitState.OPEN else 0.0
            name = sk.removeprefix(CIRCUIT)
            shown = (name, record.state, record.reason, record.opens, wait, record.forced, history_of(item))
            found.append(SharedCircuit(*shown))
    return tuple(found)


async def shared_circuits_async(*, clock: Clock = SYSTEM) -> tuple[SharedCircuit, ...]:
    """Return what `shared_circuits` does, after waiting for the snapshot if it is due."""
    shared_state = default_shared_state()
    if shared_state.due(clock):
        await _background.run(lambda: shared_state.refresh(clock), blocking=shared_state.store.blocking)
    return shared_circuits(clock=clock)


async def reset_circuit_async(name: str, *, clock: Clock = SYSTEM) -> bool:
    """Close a circuit of the fleet by its name: every environment follows within its `refresh_seconds`.

    Args:
        name: The circuit's name; no function of this environment needs to use it.
        clock: The wall clock and the monotonic clock.

    Returns:
        True when it was written. False when the store did not answer: no environment follows then.

    Raises:
        ConfigurationError: The name is empty.
    """
    return await CircuitBreaker(name, clock=clock).command_async(CircuitState.CLOSED)


async def force_open_async(name: str, seconds: float | None = None, *, clock: Clock = SYSTEM) -> bool:
    """Open a circuit of the fleet by its name; see `reset_circuit_async`.

    Args:
        name: The circuit's name.
        seconds: Seconds after which it may be probed; None keeps it open until it is reset.
        clock: The wall clock and the monotonic clock.

    Raises:
        ConfigurationError: The name is empty, or `seconds` is not more than 0.
    """
    if seconds is not None:
        _validation.seconds("seconds", seconds)
    return await CircuitBreaker(name, clock=clock).command_async(CircuitState.OPEN, seconds)
