"""What callers see of a circuit."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class CircuitState(StrEnum):
    """The state of a circuit; equal to its own string."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitTransition(NamedTuple):
    """One change of state, as `on_transition` gets it.

    Attributes:
        name: The circuit.
        before: The state it left.
        after: The state it is in.
        reason: Why: "failures", "failure_rate", "slow_calls", "probe", "probe_failed", "recovered", "reset", "forced",
            or "shared" for a change that another environment made and this one now follows.
        retry_after: Seconds it stays open, or None when it did not open or has no end.
    """

    name: str
    before: CircuitState
    after: CircuitState
    reason: str
    retry_after: float | None = None


class CircuitSnapshot(NamedTuple):
    """A circuit at one moment, as this environment knows it.

    Attributes:
        name: The circuit.
        state: Its state.
        version: Writes to the shared record so far; 0 when there is none.
        calls: Calls in the window, failures: how many of them failed, slow: how many were slow.
        failures: See calls.
        slow: See calls.
        consecutive_failures: Failures since the last success.
        opens: How often it opened without closing between.
        retry_after: Seconds until it may be tried again; 0.0 when closed.
        forced: True when it was opened by hand.
        rejected: Calls refused by this environment since it started.
        reason: Why it is in this state; "" at first.
        total_failures: Failures seen by this environment since it started.
        last_failure_at: Unix second of the last of them; None before the first.
    """

    name: str
    state: CircuitState
    version: int
    calls: int
    failures: int
    slow: int
    consecutive_failures: int
    opens: int
    retry_after: float
    forced: bool
    rejected: int
    reason: str
    total_failures: int
    last_failure_at: float | None
