"""Sharing a change of state: conditional, in order, and never at the expense of the call that caused it.

Failure policy: when the store does not answer, the environment goes on by its own knowledge, and the write is not
repeated; the next change carries the news. When another environment was first, its record is followed instead, and the
change that was to be shared is dropped: it was decided without knowing enough.
"""

from __future__ import annotations

import threading
from collections import deque
from enum import Enum, auto
from typing import NamedTuple

from resilience import events
from resilience._fork import register_after_fork
from resilience._shared_state import CIRCUIT, PARTITION, SharedState
from resilience.breaker.circuit import Circuit, Permit
from resilience.breaker.record import Record, extended_history, from_item
from resilience.errors import StoreError
from resilience.store.protocol import Item

_TRIES = 3


class Outcome(Enum):
    """What became of a write."""

    WRITTEN = auto()
    LOST = auto()
    UNKNOWN = auto()


class Published(NamedTuple):
    """What became of a write, and what is known by it."""

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
        """See ForkAware."""
        self._order = threading.Lock()

    def publish(self, record: Record, *, insist: bool = False) -> Outcome:
        """Share a record, unless the circuit has moved on since.

        Args:
            record: What the circuit's decision returned.
            insist: An operator's order: write over what another environment wrote, too.
        """
        with self._order:
            published = self._write(record, self._circuit.version_of(record), insist=insist)
        return self._tell(published)

    def elect(self) -> Permit | None:
        """Run for prober.

        Returns:
            The probe's permit when elected, or when the store does not answer (this environment then probes for
            itself). None when another environment was first.
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
        """Let others of this process know; after the write, because their hooks may want to write themselves."""
        if published.news is not None:
            self._shared_state.learn(published.news)
        return published.outcome

    def _write(
        self, record: Record, expected: int | None, *, insist: bool = False, candidate: bool = False
    ) -> Published:
        """Write a record over the version that it was decided on; None means that it was overtaken."""
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
                return self._written(item._replace(version=version))  # the answer to this very write had been lost
            if found is not None and not insist and writer not in self._doubtful:
                return self._follow(found, expected)
            # Nobody else's news: write on top of it, unless something newer was decided here meanwhile.
            self._circuit.renumbered(expected, version)
            overtaken = not candidate and self._circuit.version_of(record) is None
            expected = None if overtaken else version
        return Published(Outcome.LOST)

    def _follow(self, found: Item, expected: int) -> Published:
        """Believe what another environment wrote."""
        if (found.version or 0) < expected:
            self._shared_state.items[found.sk] = found  # another table, or an older copy of it
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
