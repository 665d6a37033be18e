"""The shared record of a circuit, and who may write it.

Every write is conditional on the version that the writer knew (fencing): an environment that missed something cannot
undo what it missed. Each write carries an id, so that a write whose answer was lost is recognised as one's own.
"""

from __future__ import annotations

from typing import NamedTuple

from resilience._shared_state import CIRCUIT, PARTITION, number
from resilience.breaker.states import CircuitState
from resilience.store.protocol import Item, Value

KEEP_CHANGES = 20
_HISTORY = "history"
_PROBED_TWICE = [CircuitState.OPEN, *(CircuitState.HALF_OPEN, CircuitState.OPEN) * 2]


class Record(NamedTuple):
    """What environments tell each other about a circuit.

    Attributes:
        state: The state.
        writer: The id of the write, by which an environment recognises its own; "" before the first.
        opens: How often it opened without closing between.
        retry_at: Unix second at which it may be probed (only when open).
        open_seconds: How long it was to stay open, so that a wrong clock cannot make it longer.
        lease_seconds: How long the prober may take (only when half open).
        forced: Opened by hand, with no end.
        reason: Why it is in this state.
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
        """The record as stored."""
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
        """The record as an item of the control partition, with the changes that led to it."""
        attributes = {**self.attributes(), _HISTORY: history}
        # Kept for ever, one item a circuit: versions that began anew would be news to nobody.
        return Item(PARTITION, CIRCUIT + name, attributes, version)


def from_item(item: Item) -> Record:
    """Read a record, of whatever shape; a state that this version of the package does not know counts as closed."""
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
    """One change of a circuit that the fleet was told of.

    Attributes:
        at: Unix second at which it was written.
        state: The state it led to.
        reason: Why; see CircuitTransition.
    """

    at: int
    state: CircuitState
    reason: str


def extended_history(known: Item | None, record: Record, now: float) -> str:
    """The changes that `known` tells of, and this one. They travel in the record and cost no write of their own.

    Of the probes of one outage only the last are told: however many there were, its beginning stays.
    """
    before = history_of(known) if known is not None else ()
    changes = [*before, CircuitChange(int(now), record.state, record.reason)]
    while [change.state for change in changes[-5:]] == _PROBED_TWICE:
        del changes[-4:-2]
    while len(changes) > 1 and changes[-2].state is changes[-1].state is CircuitState.HALF_OPEN:
        del changes[-2]  # a prober that was replaced
    return ";".join(f"{change.at} {change.state.value} {change.reason}" for change in changes[-KEEP_CHANGES:])


def history_of(item: Item) -> tuple[CircuitChange, ...]:
    """The last changes of a stored circuit, oldest first; what cannot be read is left out."""
    found = []
    for change in str(item.attributes.get(_HISTORY) or "").split(";"):
        at, _, rest = change.partition(" ")
        state, _, reason = rest.partition(" ")
        if at.isdecimal() and state in set(CircuitState):
            found.append(CircuitChange(int(at), CircuitState(state), reason))
    return tuple(found)
