"""Sharing a change of state: conditional, in order, and never at the expense of the call that caused it.

Failure policy: when the store does not answer, the environment goes on by its own knowledge, and the write is not
repeated; the next change carries the news. When another environment was first, its record is followed instead, and the
change that was to be shared is dropped: it was decided without knowing enough.
"""

from __future__ import annotations

import threading
from collections import deque
from enum import Enum, auto

from resilience import events
from resilience._shared_state import CIRCUIT, PARTITION, Control
from resilience.breaker.circuit import Circuit, Permit
from resilience.breaker.record import Record, from_item, lengthened
from resilience.errors import StoreError
from resilience.store.protocol import Item

_TRIES = 3


class Outcome(Enum):
    """What became of a write."""

    WRITTEN = auto()
    LOST = auto()
    UNKNOWN = auto()


class Publisher:
    """Writes one circuit's record for one environment."""

    def __init__(self, circuit: Circuit, control: Control) -> None:
        self._circuit = circuit
        self._control = control
        self._order = threading.Lock()
        self._doubtful: deque[str] = deque(maxlen=8)

    def publish(self, record: Record, *, insist: bool = False) -> Outcome:
        """Share a record, unless the circuit has moved on since.

        Args:
            record: What the circuit's decision returned.
            insist: An operator's order: write over what another environment wrote, too.
        """
        with self._order:
            if self._circuit.record is not record:
                return Outcome.LOST
            return self._write(record, insist=insist)

    def elect(self) -> Permit | None:
        """Run for prober.

        Returns:
            The probe's permit when elected, or when the store does not answer (this environment then probes for
            itself). None when another environment was first.
        """
        circuit, clock = self._circuit, self._circuit.config.clock
        known, record = circuit.candidate()
        wall, steady = clock.wall(), clock.steady()
        try:
            with self._order:
                outcome = self._write(record)
        except BaseException:
            circuit.lost_election()
            raise
        if outcome is Outcome.LOST:
            circuit.lost_election()
            return None
        return circuit.elected(known, record, wall, steady)

    def _write(self, record: Record, *, insist: bool = False) -> Outcome:
        known = self._control.items.get(CIRCUIT + self._circuit.name)
        for _ in range(_TRIES):
            expected = self._circuit.version
            item = self._item(record, expected + 1, known)
            try:
                if self._put(item, expected):
                    return self._written(item)
                found = known = self._control.store.get(PARTITION, CIRCUIT + self._circuit.name)
            except StoreError as error:
                self._doubtful.append(record.writer)
                events.emit(events.STORE_ERROR, self._circuit.name, operation="put_if", error=str(error))
                return Outcome.UNKNOWN
            version = (found.version or 0) if found else 0
            writer = from_item(found).writer if found else ""
            if writer == record.writer:
                return self._written(item._replace(version=version))  # the answer to this very write had been lost
            if found is None or insist or writer in self._doubtful:
                self._circuit.version = version  # nobody else's news: write on top of it
                continue
            if version < expected:
                self._control.items[found.sk] = found  # another table, or an older copy of it
                self._circuit.adopt(from_item(found), version)
                return Outcome.LOST
            self._control.learn(found)
            self._circuit.learn(found)
            return Outcome.LOST
        return Outcome.LOST

    def _item(self, record: Record, version: int, known: Item | None) -> Item:
        now = self._circuit.config.clock.wall()
        return record.item(self._circuit.name, version, lengthened(known, record, now))

    def _put(self, item: Item, expected: int) -> bool:
        return self._control.store.put_if(
            item.pk, item.sk, item.attributes, expected_version=expected or None, ttl=item.ttl
        )

    def _written(self, item: Item) -> Outcome:
        with self._circuit.lock:
            self._circuit.version = max(item.version or 0, self._circuit.version)
        self._control.learn(item)
        return Outcome.WRITTEN
