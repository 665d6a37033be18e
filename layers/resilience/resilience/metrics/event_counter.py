"""Counts of rare events, such as errors, by key and over all environments.

Each environment keeps one item per hour in the store and replaces it when events occur, at most once per
`flush_seconds`; without events it writes nothing. The items are spread over four partitions, so that none is hot. The
number of keys is bounded: `max_keys` per environment and hour, and one key for the rest. Failure policy: a write that
fails is repeated with the next flush; counting never fails a call.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from resilience import _background, _runtime, _validation
from resilience._clock import SYSTEM, Clock
from resilience.errors import StoreError
from resilience.metrics.instance import InstanceRecorder, readable
from resilience.store.protocol import Item, Store

_SHARDS: Final = 4
_HOUR: Final = 3_600
OTHER: Final = "(other)"


@dataclass(frozen=True, slots=True)
class CountedEvent:
    """An event, how often it occurred and when.

    Attributes:
        key: Identifies the event.
        count: Number of occurrences.
        first: Unix second of the first occurrence.
        last: Unix second of the last occurrence.
        details: Details of the last occurrence.
    """

    key: str
    count: int
    first: float
    last: float
    details: Mapping[str, str]

    def joined(self, other: CountedEvent) -> CountedEvent:
        """Return the sum of two counts of one event."""
        newer = self if self.last >= other.last else other
        return replace(newer, count=self.count + other.count, first=min(self.first, other.first))


class EventCounter(InstanceRecorder):
    """A counter of events by key.

    Args:
        name: Name of the counter in the store.
        max_keys: Keys counted separately per hour, default 50; further keys are counted together as "(other)".
        keep_hours: Hours for which events are kept, here and in the store; default 24.
        flush_seconds: Minimum seconds between two writes, default 10.
        store: The store that all environments share; None uses the default store.
        clock: Source of time.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    def __init__(
        self,
        name: str,
        *,
        max_keys: int = 50,
        keep_hours: int = 24,
        flush_seconds: float = 10.0,
        store: Store | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.name = _validation.text("name", name)
        super().__init__(name, flush_seconds, store, clock)
        self._max_keys = _validation.whole("max_keys", max_keys)
        self._keep_hours = _validation.whole("keep_hours", keep_hours)
        self._hours: dict[int, dict[str, CountedEvent]] = {}
        self._dirty: set[int] = set()
        _runtime.on_flush(self._flush_soon)
        _runtime.on_restored(self.renew)

    def note(self, key: str, **details: str) -> None:
        """Count one event under `key`; the latest details are kept, each cut to 200 characters."""
        now = self._clock.wall()
        hour = int(now // _HOUR)
        with self._lock:
            kept = self._hours.setdefault(hour, {})
            if key not in kept and len(kept) >= self._max_keys:
                key, details = OTHER, {}
            new = CountedEvent(key, 1, now, now, {name: text[:200] for name, text in details.items()})
            kept[key] = kept[key].joined(new) if key in kept else new
            self._dirty.add(hour)
            for old in [each for each in self._hours if each <= hour - self._keep_hours]:
                del self._hours[old]

    def own(self) -> tuple[CountedEvent, ...]:
        """Return the events of this environment, most frequent first."""
        self._check_generation()
        with self._lock:
            return _merged([list(kept.values()) for kept in self._hours.values()])

    def fleet(self) -> tuple[tuple[CountedEvent, ...], bool]:
        """Return the events of all environments; from an event loop, use `fleet_async`, because this reads the store.

        Returns:
            The events, most frequent first, and whether the store answered. If it did not, the events are only those
            of this environment.
        """
        own, generation = self.own(), self._check_generation()
        try:
            items = [item for n in range(_SHARDS) for item in self._bound().store.query(self._partition(n))]
        except StoreError as error:
            self._tell("query", error)
            return own, False

        def read(item: Item) -> list[CountedEvent]:
            return _load(item) if self._is_another(item.sk, generation) else []

        return _merged([list(own), *readable(self.name, items, read)]), True

    async def fleet_async(self) -> tuple[tuple[CountedEvent, ...], bool]:
        """Run `fleet` without blocking the event loop."""
        return await _background.run(self.fleet, blocking=self._bound().store.blocking)

    def clear(self) -> None:
        """Forget all events: here at once, in every other environment within five seconds."""
        self._forget_everywhere()

    async def clear_async(self) -> bool:
        """Forget all events like `clear`, and wait for the store without blocking the event loop.

        Returns:
            False when the store did not answer and only this environment forgot.
        """
        return await self._forget_everywhere_async()

    def _flush(self) -> bool:
        shared_state, generation = self._bound(), self._check_generation()
        with self._lock:
            waiting = [(hour, _dump(self._hours[hour])) for hour in self._dirty if hour in self._hours]
            self._dirty.clear()
        while waiting:
            hour, data = waiting[-1]
            try:
                shared_state.store.put(
                    self._partition(int(self._id, 16) % _SHARDS),
                    f"{hour}#{generation}#{self._id}",
                    {"data": data},
                    ttl=(hour + self._keep_hours) * _HOUR,
                )
            except StoreError as error:
                self._tell("flush", error)
                with self._lock:
                    self._dirty.update(hour for hour, _ in waiting)
                return False
            waiting.pop()
        return True

    def _flush_soon(self, final: bool) -> None:
        now = self._clock.wall()
        if not self._dirty or not (final or self._waited(now)):
            return
        self._flush_at = now + self._flush_seconds
        _background.submit(self.flush, blocking=self._bound().store.blocking)

    def renew(self) -> None:
        """Become a new environment after a fork or restore; the counts belong to the original."""
        super().renew()
        self._forget()

    def _forget(self) -> None:
        with self._lock:
            self._hours.clear()
            self._dirty.clear()

    def _is_another(self, sk: str, generation: int) -> bool:
        _, written, environment = sk.split("#")
        return int(written) == generation and environment != self._id

    def _partition(self, shard: int) -> str:
        return f"events#{self.name}#{shard}"


def _merged(lists: list[list[CountedEvent]]) -> tuple[CountedEvent, ...]:
    together: dict[str, CountedEvent] = {}
    for found in lists:
        for each in found:
            together[each.key] = together[each.key].joined(each) if each.key in together else each
    return tuple(sorted(together.values(), key=lambda each: (-each.count, -each.last)))


def _dump(kept: dict[str, CountedEvent]) -> bytes:
    data = [[o.key, o.count, round(o.first, 3), round(o.last, 3), dict(o.details)] for o in kept.values()]
    return zlib.compress(json.dumps(data, separators=(",", ":")).encode())


def _load(item: Item) -> list[CountedEvent]:
    data = item.attributes["data"]
    kept = json.loads(zlib.decompress(data)) if isinstance(data, bytes) else []
    return [CountedEvent(str(key), int(n), float(first), float(last), dict(rest)) for key, n, first, last, rest in kept]
