"""The monitor: counts here, writes what it counted to the store now and then, and reads what all wrote.

An environment keeps one item a minute in the store, holding all its names, and replaces it as the minute goes on: at
most one write in `flush_seconds`, and none before enough was counted or the minute is over. Reading merges the items
of all environments. Failure policy: what cannot be written is counted in and tried again with the next flush, for as
long as the minutes are remembered; measuring never fails a call.
"""

from __future__ import annotations

import json
import zlib
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from resilience import _background, _runtime, _validation
from resilience._clock import SYSTEM, Clock
from resilience.errors import StoreError
from resilience.metrics.instance import Member
from resilience.metrics.performance import Performance, SlowCall, Tally
from resilience.store.protocol import Item, Store

_PARTITION: Final = "metrics"
_KEEP_SECONDS: Final = 2 * 3_600
_KEEP_MINUTES: Final = 15
_OTHER: Final = "(other)"

Figures = Mapping[str, float]
_Minute = tuple[int, dict[str, Tally], list[SlowCall], dict[str, Figures]]


class Minute(NamedTuple):
    """All names of one minute together.

    Attributes:
        at: Unix second at which the minute began.
        figures: The calls of that minute that are charted, under the name "".
    """

    at: int
    figures: Performance


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What all environments measured.

    Attributes:
        names: Figures by name, for the whole time that was asked for.
        minutes: One entry for each minute with calls, oldest first.
        slow: The slowest calls, slowest first.
        environments: How many environments took part.
        complete: False when the store did not answer and only this environment's figures are shown.
        reports: What `report` added, by name: the latest figures of each environment.
    """

    names: dict[str, Performance]
    minutes: tuple[Minute, ...]
    slow: tuple[SlowCall, ...]
    environments: int
    complete: bool
    reports: dict[str, tuple[Figures, ...]] = field(default_factory=dict)


class _Slot:
    """One minute here."""

    __slots__ = ("dirty", "slow", "tallies")

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.slow: list[SlowCall] = []
        self.dirty = 0


class PerformanceMonitor(Member):
    """A monitor.

    Args:
        slow_seconds: A call that takes longer is slow and listed. Default 1.0.
        max_names: Names kept apart, default 200; further ones are counted together as "(other)".
        max_slow: Slow calls listed a minute and environment, default 20; the slowest stay.
        flush_seconds: Least time between two writes, default 10.
        flush_calls: Calls that are worth a write before their minute is over, default 20.
        store: Where environments meet; None takes the default store.
        clock: Source of time.

    Raises:
        ConfigurationError: A setting is out of range.
    """

    def __init__(
        self,
        *,
        slow_seconds: float = 1.0,
        max_names: int = 200,
        max_slow: int = 20,
        flush_seconds: float = 10.0,
        flush_calls: int = 20,
        store: Store | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        super().__init__(_PARTITION, flush_seconds, store, clock)
        self.slow_seconds = _validation.seconds("slow_seconds", slow_seconds)
        self._max_names = _validation.whole("max_names", max_names)
        self._max_slow = _validation.whole("max_slow", max_slow)
        self._flush_calls = _validation.whole("flush_calls", flush_calls)
        self._slots: dict[int, _Slot] = {}
        self._totals: dict[str, Tally] = {}
        self._recent: deque[SlowCall] = deque(maxlen=100)
        self._reporters: dict[str, Callable[[], Figures]] = {}

    def renew(self) -> None:
        """Become another environment, and leave what was counted to the one that was copied."""
        super().renew()
        self._forget()

    def record(self, name: str, seconds: float, *, error: bool = False) -> None:
        """Count a call.

        Args:
            name: What was called; a route template, so that there are few.
            seconds: How long it took; 0 or more.
            error: Whether it failed.
        """
        now = self._clock.wall()
        with self._lock:
            slot = self._slot(int(now // 60))
            if name not in self._totals and len(self._totals) >= self._max_names:
                name = _OTHER
            slow = seconds > self.slow_seconds
            for tallies in (slot.tallies, self._totals):
                tally = tallies.get(name)
                if tally is None:
                    tally = tallies[name] = Tally()
                tally.sketch.add(seconds)
                tally.errors += error
                tally.slow += slow
            slot.dirty += 1
            if slow:
                self._note_slow(slot, SlowCall(name, seconds, now, error))
            due = self._due(now, slot)
        if due:
            self.flush_soon()

    def report(self, name: str, figures: Callable[[], Figures]) -> None:
        """Have other figures of this environment, such as a pool's, written along with what is counted.

        Args:
            name: Names them in FleetReport.reports; a second function of the same name replaces the first.
            figures: Called at each flush; must be quick. What it raises ends the flush.
        """
        self._reporters[_validation.text("name", name)] = figures

    def get_metrics(self) -> dict[str, Performance]:
        """What this environment measured since it started or was reset, by name."""
        self._check_generation()
        with self._lock:
            return {name: tally.show(name) for name, tally in sorted(self._totals.items())}

    def slow_requests(self, threshold: float | None = None) -> tuple[SlowCall, ...]:
        """This environment's latest slow calls, newest first.

        Args:
            threshold: Only calls that took longer, in seconds; None for all that are listed.
        """
        with self._lock:
            return tuple(each for each in reversed(self._recent) if threshold is None or each.seconds > threshold)

    def fleet(self, minutes: int = 15, *, slow: int = 50, charted: Callable[[str], bool] = bool) -> FleetReport:
        """What all environments measured. Reads the store: from an event loop, use `fleet_async`.

        Args:
            minutes: How far back, the current one included; from 1 to 60.
            slow: How many slow calls to list.
            charted: Which names count in the figures by minute; default all that are not empty.
        """
        _validation.whole("minutes", minutes, most=60)
        first = int(self._clock.wall() // 60) - minutes + 1
        generation = self._check_generation()
        items, complete = self._read(first, generation)
        merged: dict[int, dict[str, Tally]] = {}
        calls: list[SlowCall] = []
        reports: dict[str, list[Figures]] = {}
        for minute, tallies, listed, _ in [*items.values(), *self._own(first)]:
            into = merged.setdefault(minute, {})
            for name, tally in tallies.items():
                into.setdefault(name, Tally()).merge(tally)
            calls += listed
        latest = {environment: items[environment, minute][3] for environment, minute in sorted(items)}
        latest[self._id] = self._figures()
        for reported in latest.values():
            for name, figures in reported.items():
                reports.setdefault(name, []).append(figures)
        names, shown = _shown(merged, charted)
        slowest = sorted(calls, key=lambda call: -call.seconds)[:slow]
        named = {name: tuple(figures) for name, figures in reports.items()}
        return FleetReport(names, shown, tuple(slowest), len(latest), complete, named)

    async def fleet_async(
        self, minutes: int = 15, *, slow: int = 50, charted: Callable[[str], bool] = bool
    ) -> FleetReport:
        """Like `fleet`, without blocking the event loop."""
        blocking = self._bound().store.blocking
        return await _background.run(lambda: self.fleet(minutes, slow=slow, charted=charted), blocking=blocking)

    def reset(self) -> None:
        """Forget everything: here at once, in every other environment within five seconds."""
        self._forget_everywhere()

    async def reset_async(self) -> bool:
        """Like `reset`, and waits for the store; False when it did not answer and only this environment forgot."""
        return await self._forget_everywhere_async()

    def flush_soon(self, *, only_if_due: bool = False) -> None:
        """Write what was counted, without making the caller wait.

        Args:
            only_if_due: Write nothing before flush_seconds have passed and enough was counted.
        """
        now = self._clock.wall()
        with self._lock:
            if not self._slots or (only_if_due and not self._due(now, self._slot(int(now // 60)))):
                return
        _background.soon(self.flush, blocking=self._bound().store.blocking)

    def _flush(self) -> bool:
        control, generation = self._bound(), self._check_generation()
        figures = self._figures()
        with self._lock:
            waiting = [
                (minute, slot, slot.dirty, _pack(slot, figures)) for minute, slot in self._slots.items() if slot.dirty
            ]
        for minute, slot, dirty, packed in waiting:
            try:
                control.store.put(
                    _PARTITION, _key(minute, generation, self._id), {"data": packed}, ttl=minute * 60 + _KEEP_SECONDS
                )
            except StoreError as error:
                self._tell("flush", error)
                return False
            with self._lock:
                slot.dirty -= dirty
        return True

    def _figures(self) -> dict[str, Figures]:
        return {name: dict(figures()) for name, figures in self._reporters.items()}

    def _due(self, now: float, slot: _Slot) -> bool:
        if not self._waited(now):
            return False
        older = any(each.dirty for each in self._slots.values() if each is not slot)
        if slot.dirty < self._flush_calls and not older:
            return False
        self._flush_at = now + self._flush_seconds
        return True

    def _slot(self, minute: int) -> _Slot:
        slot = self._slots.get(minute)
        if slot is None:
            slot = self._slots[minute] = _Slot()
            for old in [each for each in self._slots if not minute - _KEEP_MINUTES < each <= minute]:
                del self._slots[old]
        return slot

    def _note_slow(self, slot: _Slot, call: SlowCall) -> None:
        self._recent.append(call)
        slot.slow.append(call)
        if len(slot.slow) > self._max_slow:
            slot.slow.remove(min(slot.slow, key=lambda each: each.seconds))

    def _forget(self) -> None:
        with self._lock:
            self._slots.clear()
            self._totals.clear()
            self._recent.clear()

    def _own(self, first: int) -> list[_Minute]:
        with self._lock:
            return [_unpack(minute, _pack(slot, {})) for minute, slot in self._slots.items() if minute >= first]

    def _read(self, first: int, generation: int) -> tuple[dict[tuple[str, int], _Minute], bool]:
        """What was written, by environment and minute; what this environment still has in memory it knows better."""
        store, found = self._bound().store, []
        with self._lock:
            known = {(self._id, minute) for minute in self._slots}
        try:
            for tens in range(first // 10, int(self._clock.wall() // 600) + 1):
                found += store.query(_PARTITION, sk_prefix=f"{tens}#")
        except StoreError as error:
            self._tell("query", error)
            return {}, False

        def read(item: Item) -> tuple[tuple[str, int], _Minute] | None:
            _, minute, written, environment = item.sk.split("#")
            place = (environment, int(minute))
            wanted = place[1] >= first and int(written) == generation and place not in known
            return (place, _unpack(place[1], _data(item))) if wanted else None

        return dict(each for each in self._readable(found, read) if each is not None), True


def _shown(
    merged: dict[int, dict[str, Tally]], charted: Callable[[str], bool]
) -> tuple[dict[str, Performance], tuple[Minute, ...]]:
    names: dict[str, Tally] = {}
    minutes = []
    for minute in sorted(merged):
        together = Tally()
        for name, tally in merged[minute].items():
            names.setdefault(name, Tally()).merge(tally)
            if charted(name):
                together.merge(tally)
        minutes.append(Minute(minute * 60, together.show("")))
    return {name: tally.show(name) for name, tally in sorted(names.items())}, tuple(minutes)


def _key(minute: int, generation: int, environment: str) -> str:
    return f"{minute // 10}#{minute}#{generation}#{environment}"


def _pack(slot: _Slot, figures: dict[str, Figures]) -> bytes:
    slow = [[call.name, round(call.seconds, 3), round(call.at, 3), call.failed] for call in slot.slow]
    data = {"names": {name: tally.dump() for name, tally in slot.tallies.items()}, "slow": slow, "reports": figures}
    return zlib.compress(json.dumps(data, separators=(",", ":")).encode())


def _unpack(minute: int, packed: bytes) -> _Minute:
    data = json.loads(zlib.decompress(packed))
    tallies = {name: Tally.load(each) for name, each in data["names"].items()}
    slow = [SlowCall(str(name), float(seconds), float(at), bool(failed)) for name, seconds, at, failed in data["slow"]]
    reports: dict[str, Figures] = {
        name: {key: float(value) for key, value in figures.items()} for name, figures in data.get("reports", {}).items()
    }
    return minute, tallies, slow, reports


def _data(item: Item) -> bytes:
    data = item.attributes["data"]
    return data if isinstance(data, bytes) else b""


performance_monitor = PerformanceMonitor()
"""The monitor that `monitor_performance` uses unless it is given another."""
_runtime.on_restored(performance_monitor.renew)
_runtime.on_flush(lambda final: performance_monitor.flush_soon(only_if_due=not final))
