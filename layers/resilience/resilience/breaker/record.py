"""The shared record of a circuit.

Every write is conditional on the version that the writer knew (fencing): an environment that missed a change cannot
undo it. Each write carries an id, by which its writer recognises it when the store's answer was lost.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from resilience._shared_state import CIRCUIT, PARTITION, number
from resilience.breaker.states import CircuitState
from resilience.store.protocol import Item, Value

KEEP_CHANGES = 20
_HISTORY = "history"
_PROBED_TWICE = [CircuitState.OPEN, *(CircuitState.HALF_OPEN, CircuitState.OPEN) * 2]


def make_id() -> str:
    """Return a random id for one write: 96 bits as 24 hex digits."""
    return os.urandom(12).hex()


class Record(NamedTuple):
    """What environments share about a circuit.

    Attributes:
        state: The circuit's state.
        writer: The id of the write, by which its environment recognises it; "" before the first write.
        opens: How often it opened without closing in between.
        retry_at: Unix seconds from which it may be probed (only when open).
        open_seconds: Seconds that it was to stay open: readers wait no longer, even if their wall clock is slow.
        lease_seconds: Length in seconds of the prober's lease (only when half-open).
        forced: True when an operator opened it without an end.
        reason: Why it is in this state; see CircuitTransition.
    """

    state: CircuitState
    writer: str = ""
    opens: int = 0
    retry_at: float = 0.0
    open_seconds: float = 0.0
    lease_seconds: float = 0.0
    forced: bool = False
    reason: str = ""

    def attributes(self) -> dict[str, Value]:
        """Return the record as the attributes of an item."""
        return {
            "state": self.state.value,
            "writer": self.writer,
            "opens": self.opens,
            "retry_at": self.retry_at,
            "open_seconds": self.open_seconds,
            "lease_seconds": self.lease_seconds,
            "forced": self.forced,
            "reason": self.reason,
        }

    def item(self, name: str, version: int, history: str) -> Item:
        """Return the record as an item of the control partition, with its history; see `extended_history`."""
        attributes = {**self.attributes(), _HISTORY: history}
        # No ttl: after an expiry, versions would restart, and other environments would ignore them as old.
        return Item(PARTITION, CIRCUIT + name, attributes, version)


def from_item(item: Item) -> Record:
    """Return the record in an item of any shape; a state unknown to this version of the package counts as closed."""
    values = item.attributes
    state = values.get("state")
    known = isinstance(state, str) and state in set(CircuitState)
    return Record(
        state=CircuitState(str(state)) if known else CircuitState.CLOSED,
        writer=str(values.get("writer", "")),
        opens=int(number(values.get("opens"))),
        retry_at=number(values.get("retry_at")),
        open_seconds=number(values.get("open_seconds")),
        lease_seconds=number(values.get("lease_seconds")),
        forced=bool(values.get("forced")),
        reason=str(values.get("reason", "")),
    )


class CircuitChange(NamedTuple):
    """One published change of a circuit's state.

    Attributes:
        at: Unix second in which it was written.
        state: The state it led to.
        reason: Why; see CircuitTransition.
    """

    at: int
    state: CircuitState
    reason: str


def extended_history(known: Item | None, record: Record, now: float) -> str:
    """Return the history in `known` with this change appended: "<Unix second> <state> <reason>", joined by ";".

    It travels in the record and costs no write of its own. It holds the last 20 changes. Of the failed probes in a row
    only the last is kept, so that the beginning of a long outage stays in it.
    """
    before = history_of(known) if known is not None else ()
    changes = [*before, CircuitChange(int(now), record.state, record.reason)]
    while [change.state for change in changes[-5:]] == _PROBED_TWICE:
        del changes[-4:-2]
    while len(changes) > 1 and changes[-2].state is changes[-1].state is CircuitState.HALF_OPEN:
        del changes[-2]  # the lease ended without a result, and another one began
    return ";".join(f"{change.at} {change.state.value} {change.reason}" for change in changes[-KEEP_CHANGES:])


def history_of(item: Item) -> tuple[CircuitChange, ...]:
    """Return the last changes of a stored circuit, oldest first; unreadable ones are skipped."""
    found = []
    for change in str(item.attributes.get(_HISTORY) or "").split(";"):
        at, _, rest = change.partition(" ")
        state, _, reason = rest.partition(" ")
        if at.isdecimal() and state in set(CircuitState):
            found.append(CircuitChange(int(at), CircuitState(state), reason))
    return tuple(found)
