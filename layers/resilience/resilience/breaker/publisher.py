"""Publishes a circuit's changes of state with conditional writes, in order. A failed write never fails the call.

Failure policy: if the store does not answer, the environment goes on with what it knows, and the write is not repeated;
the next change of state is published as usual. If another environment wrote first, its record is followed and this
environment's change is dropped, because it was decided on a stale record.
"""

from __future__ import annotations

import threading
from collections import deque
from enum import Enum, auto
from typing import NamedTuple

from resilience import events
from resilience._fork import register_after_fork
from resilience._shared_state import CIRCUIT, PARTITION, SharedState
from resilience.breaker.circuit import Circuit
from resilience.breaker.permit import Permit
from resilience.breaker.record import Record, extended_history, from_item
from resilience.errors import StoreError
from resilience.store.protocol import Item

_TRIES = 3


class Outcome(Enum):
    """The outcome of a write.

    Attributes:
        WRITTEN: The record is in the store.
        LOST: It is not: another environment wrote first, or the circuit has moved on.
        UNKNOWN: The store did not answer.
    """

    WRITTEN = auto()
    LOST = auto()
    UNKNOWN = auto()


class Published(NamedTuple):
    """The outcome of a write, and the item that is now in the store, if listeners should get it."""

    outcome: Outcome
    news: Item | None = None


class Publisher:
    """Writes one circuit's record for one environment, one write at a time."""

    def __init__(self, circuit: Circuit, shared_state: SharedState) -> None:
        self._circuit = circuit
        self._shared_state = shared_state
        self._doubtful: deque[str] = deque(maxlen=8)
        self.after_fork()
        register_after_fork(self)

    def after_fork(self) -> None:
        """Replace the lock in a forked child."""
        self._order = threading.Lock()

    def publish(self, record: Record, *, insist: bool = False) -> Outcome:
        """Write a record to the store, unless the circuit has moved on since.

        Args:
            record: The record that the circuit's decision returned.
            insist: Overwrite another environment's newer record too; for an operator's command.
        """
        with self._order:
            published = self._write(record, self._circuit.version_of(record), insist=insist)
        return self._tell(published)

    def elect(self) -> Permit | None:
        """Run for the lease to probe: the environment whose conditional write succeeds wins the election.

        Returns:
            The permit of the first probe if elected, or if the store does not answer (each environment then probes for
            itself). None if another environment wrote first, or the circuit followed another record meanwhile.
        """
        circuit, clock = self._circuit, self._circuit.config.clock
        known, record, version = circuit.candidate()
        wall, steady = clock.wall(), clock.steady()
        try:
            with self._order:
                published = self._write(record, version, candidate=True)
        except BaseException:
            circuit.lost_election()
            raise
        outcome = self._tell(published)
        if outcome is Outcome.LOST:
            circuit.lost_election()
            return None
        return circuit.elected(known, record, wall, steady)

    def _tell(self, published: Published) -> Outcome:
        """Pass the stored item to this process's listeners; without the lock, because their hooks may write too."""
        if published.news is not None:
            self._shared_state.learn(published.news)
        return published.outcome

    def _write(
        self, record: Record, expected: int | None, *, insist: bool = False, candidate: bool = False
    ) -> Published:
        """Write a record on top of the version it was decided on (`expected`; None if the circuit has moved on)."""
        known = self._shared_state.items.get(CIRCUIT + self._circuit.name)
        for _ in range(_TRIES):
            if expected is None:
                break
            item = self._item(record, expected + 1, known)
            try:
                if self._put(item, expected):
                    return self._written(item)
                found = known = self._shared_state.store.get(PARTITION, CIRCUIT + self._circuit.name)
            except StoreError as error:
                self._doubtful.append(record.writer)
                events.emit(events.STORE_ERROR, self._circuit.name, operation="put_if", error=str(error))
                return Published(Outcome.UNKNOWN)
            version = (found.version or 0) if found else 0
            writer = from_item(found).writer if found else ""
            if writer == record.writer:
                return self._written(item._replace(version=version))  # it was written, but the answer was lost
            if found is not None and not insist and writer not in self._doubtful:
                return self._follow(found, expected)
            # Absent, our own earlier write, or to be overwritten: write on top, unless the circuit has moved on.
            self._circuit.renumbered(expected, version)
            overtaken = not candidate and self._circuit.version_of(record) is None
            expected = None if overtaken else version
        return Published(Outcome.LOST)

    def _follow(self, found: Item, expected: int) -> Published:
        """Follow the record that another environment wrote."""
        if (found.version or 0) < expected:
            self._shared_state.items[found.sk] = found  # a new table, or one restored from a backup
            self._circuit.adopt(from_item(found), found.version or 0)
            return Published(Outcome.LOST)
        self._circuit.learn(found)
        return Published(Outcome.LOST, found)

    def _item(self, record: Record, version: int, known: Item | None) -> Item:
        now = self._circuit.config.clock.wall()
        return record.item(self._circuit.name, version, extended_history(known, record, now))

    def _put(self, item: Item, expected: int) -> bool:
        return self._shared_state.store.put_if(
            item.pk, item.sk, item.attributes, expected_version=expected or None, ttl=item.ttl
        )

    def _written(self, item: Item) -> Published:
        self._circuit.written(item.version or 0)
        return Published(Outcome.WRITTEN, item)
