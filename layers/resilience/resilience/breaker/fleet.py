"""The circuits of the whole fleet, for an operator: also those that this environment has no function for."""

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
    """A circuit as the shared record has it. A circuit that never opened has no record.

    Attributes:
        name: The circuit.
        state: Its state.
        reason: Why it is in it; see CircuitTransition.
        opens: How often it opened without closing between.
        retry_after: Seconds until it may be probed; 0.0 when it is not open or may be now.
        forced: Whether it was opened by hand, with no end.
        history: Its last changes, oldest first, 20 at most.
    """

    name: str
    state: CircuitState
    reason: str
    opens: int
    retry_after: float
    forced: bool
    history: tuple[CircuitChange, ...] = ()


def shared_circuits(*, clock: Clock = SYSTEM) -> tuple[SharedCircuit, ...]:
    """Every circuit that ever changed its state, in order of names, as of the last snapshot.

    A snapshot that is due is read first; with a store that blocks, behind this call: see `shared_circuits_async`.

    Args:
        clock: Source of time.
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
    """Like `shared_circuits`, and waits for the snapshot if it is due."""
    shared_state = default_shared_state()
    if shared_state.due(clock):
        await _background.run(lambda: shared_state.refresh(clock), blocking=shared_state.store.blocking)
    return shared_circuits(clock=clock)


async def reset_circuit_async(name: str, *, clock: Clock = SYSTEM) -> bool:
    """Close a circuit of the fleet by its name: every environment follows within its `refresh_seconds`.

    Args:
        name: The circuit; it need not be one of this environment's.
        clock: Source of time.

    Returns:
        False when the store did not answer, and nobody but this environment's own circuit will hear of it.
    """
    return await CircuitBreaker(name, clock=clock).command_async(CircuitState.CLOSED)


async def force_open_async(name: str, seconds: float | None = None, *, clock: Clock = SYSTEM) -> bool:
    """Open a circuit of the fleet by its name; see `reset_circuit_async`.

    Args:
        name: The circuit.
        seconds: Probe after so long; None keeps it open until it is reset.
        clock: Source of time.
    """
    if seconds is not None:
        _validation.seconds("seconds", seconds)
    return await CircuitBreaker(name, clock=clock).command_async(CircuitState.OPEN, seconds)
