"""The public view of a circuit: its state, its transitions and its snapshot."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class CircuitState(StrEnum):
    """The state of a circuit; each member equals its string value."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitTransition(NamedTuple):
    """One change of state, as passed to `on_transition`.

    Attributes:
        name: The circuit's name.
        before: The state it left.
        after: The state it is in.
        reason: Why: "failures", "failure_rate", "slow_calls", "probe", "probe_failed", "recovered", "reset", "forced",
            or "shared" for a change that another environment made and this one now follows.
        retry_after: Seconds for which it stays open; None when it did not open, or opened without an end.
    """

    name: str
    before: CircuitState
    after: CircuitState
    reason: str
    retry_after: float | None = None


class CircuitSnapshot(NamedTuple):
    """A circuit at one moment, as this environment knows it.

    Attributes:
        name: The circuit's name.
        state: Its state.
        version: Version of the shared record: the number of writes so far; 0 when none is known.
        calls: Calls in the window.
        failures: Calls in the window that failed.
        slow: Calls in the window that were slow, failed or not.
        consecutive_failures: Failures since the last success.
        opens: How often it opened without closing in between.
        retry_after: Seconds until it may be probed; 0.0 when closed.
        forced: True when an operator opened it without an end.
        rejected: Calls refused by this environment since it started.
        reason: Why it is in this state, see CircuitTransition; "" before the first change.
        total_failures: Failures in this environment since it started.
        last_failure_at: Unix seconds of the last of them; None before the first.
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
