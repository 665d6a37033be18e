"""The monitor: counts here, writes what it counted to the store now and then, and reads what all wrote.

An environment keeps one item a minute in the store, holding all its names, and replaces it as the minute goes on: at
most one write in `flush_seconds`, and none before enough was counted, a call was slow or failed, or the minute is over.
Reading merges the items of all environments. They are kept for two hours; `roll_up`, called every ten minutes somewhere
in the fleet, keeps the figures of all environments together for a day, in items whose number does not grow with the
fleet.

Failure policy: what cannot be written is counted in and tried again with the next flush, for as long as the minutes are
remembered; measuring never fails a call.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from resilience import _background, _runtime, _validation
from resilience._clock import SYSTEM, Clock
from resilience.errors import StoreError
from resilience.metrics.fleet import (
    BY_MINUTE,
    LATE_SPANS,
    EnvironmentReport,
    FleetReport,
    Found,
    Window,
    expiry,
    key,
    roll_up,
)
from resilience.metrics.instance import InstanceRecorder
from resilience.metrics.performance import Performance, SlowCall, Tally
from resilience.metrics.written import OTHER, PARTITION, About, Figures, Written, merge_tallies
from resilience.store.protocol import Store

_KEEP_MINUTES: Final = 15
_LONGEST: Final = 24 * 60


class _Slot:
    """One minute here."""

    __slots__ = ("dirty", "slow", "tallies", "urgent")

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.slow: list[SlowCall] = []
        self.dirty = 0
        self.urgent = False


class PerformanceMonitor(InstanceRecorder):
    """A monitor.

    Args:
        slow_seconds: A call that takes longer is slow and listed. Default 1.0.
        max_names: Names counted separately, default 200; further ones are counted together as "(other)".
        max_slow: Slow calls listed a minute and environment, default 20; the slowest stay.
        flush_seconds: Least time between two writes, default 10.
        flush_calls: Calls that are worth a write before their minute is over, default 20; a single one is when it was
            slow or failed.
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
        super().__init__(PARTITION, flush_seconds, store, clock)
        self.slow_seconds = _validation.seconds("slow_seconds", slow_seconds)
        self._max_names = _validation.whole("max_names", max_names)
        self._max_slow = _validation.whole("max_slow", max_slow)
        self._flush_calls = _validation.whole("flush_calls", flush_calls)
        self._slots: dict[int, _Slot] = {}
        self._totals: dict[str, Tally] = {}
        self._recent: deque[SlowCall] = deque(maxlen=100)
        self._reporters: dict[str, Callable[[], Figures]] = {}
        self._about: About = {}

    def renew(self) -> None:
        """Become another environment, and leave what was counted to the one that was copied."""
        super().renew()
        self._forget()

    def record(self, name: str, seconds: float, *, error: bool = False, detail: str = "") -> None:
        """Count a call.

        Args:
            name: What was called; a route template, so that there are few.
            seconds: How long it took; 0 or more.
            error: Whether it failed.
            detail: Kept where the call is listed as slow, such as a request's id; "" for nothing.
        """
        now = self._clock.wall()
        with self._lock:
            slot = self._slot(int(now // 60))
            if name not in self._totals and len(self._totals) >= self._max_names:
                name = OTHER
            slow = seconds > self.slow_seconds
            for tallies in (slot.tallies, self._totals):
                tally = tallies.get(name)
                if tally is None:
                    tally = tallies[name] = Tally()
                tally.sketch.add(seconds)
                tally.errors += error
                tally.slow += slow
            slot.dirty += 1
            slot.urgent |= slow or error
            if slow:
                self._note_slow(slot, SlowCall(name, seconds, now, error, detail))
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

    def describe(self, **about: str) -> None:
        """Say what this environment is, such as its version; written along with what is counted."""
        self._about = about

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
            minutes: How far back, the current one included; from 1 to 1,440. Over 60 it begins with whole ten minutes,
                and what is older than two hours is known of times that were rolled up.
            slow: How many slow calls to list.
            charted: Which names count in the figures by minute; default all that are not empty.
        """
        _validation.whole("minutes", minutes, most=_LONGEST)
        window = Window(minutes, int(self._clock.wall() // 60), self._check_generation())
        own = self._own(window)
        try:
            found, complete = window.read(self._bound().store), True
        except StoreError as error:
            self._tell("query", error)
            found, complete = Found(), False
        return window.report(found.knowing(own), slow=slow, charted=charted, complete=complete)

    async def fleet_async(
        self, minutes: int = 15, *, slow: int = 50, charted: Callable[[str], bool] = bool
    ) -> FleetReport:
        """Like `fleet`, without blocking the event loop."""
        blocking = self._bound().store.blocking
        return await _background.run(lambda: self.fleet(minutes, slow=slow, charted=charted), blocking=blocking)

    def environments(
        self, minutes: int = 15, *, charted: Callable[[str], bool] = bool
    ) -> tuple[tuple[EnvironmentReport, ...], bool]:
        """What each environment measured, the busiest first; and False when the store did not answer.

        Args:
            minutes: How far back, the current one included; from 1 to 60.
            charted: Which names count in the figures.
        """
        _validation.whole("minutes", minutes, most=BY_MINUTE)
        window = Window(minutes, int(self._clock.wall() // 60), self._check_generation())
        own = self._own(window)
        try:
            found, complete = window.read(self._bound().store), True
        except StoreError as error:
            self._tell("query", error)
            found, complete = Found(), False
        return found.knowing(own).by_environment(charted), complete

    async def environments_async(
        self, minutes: int = 15, *, charted: Callable[[str], bool] = bool
    ) -> tuple[tuple[EnvironmentReport, ...], bool]:
        """Like `environments`, without blocking the event loop."""
        blocking = self._bound().store.blocking
        return await _background.run(lambda: self.environments(minutes, charted=charted), blocking=blocking)

    def roll_up(self) -> int:
        """Keep the figures of the last ten minutes for a day; to be called every ten minutes, by one environment.

        Once an hour the ten minutes of the hour and a half before are put together again, for what came late from
        environments that had little to do.

        Returns:
            How many times of ten minutes were written.

        Raises:
            StoreError: The store does not answer.
        """
        self._bound().refresh(self._clock)  # figures that were forgotten are not to come back
        self.flush()
        current, generation = int(self._clock.wall() // 600), self._check_generation()
        limits = {"most_names": self._max_names, "most_slow": self._max_slow}
        spans = range(current - (LATE_SPANS if current % 6 == 0 else 1), current)
        return sum(roll_up(self._bound().store, each, generation, **limits) for each in spans)

    async def roll_up_async(self) -> int:
        """Like `roll_up`, without blocking the event loop."""
        return await _background.run(self.roll_up, blocking=self._bound().store.blocking)

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
        _background.submit(self.flush, blocking=self._bound().store.blocking)

    def _flush(self) -> bool:
        shared_state, generation = self._bound(), self._check_generation()
        figures = self._figures()
        with self._lock:
            waiting = [
                (minute, slot, slot.dirty, self._written(minute, slot, figures).pack())
                for minute, slot in self._slots.items()
                if slot.dirty
            ]
        for minute, slot, dirty, packed in waiting:
            try:
                shared_state.store.put(
                    PARTITION, key(minute, generation, self._id), {"data": packed}, ttl=expiry(minute)
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
        if slot.dirty < self._flush_calls and not older and not slot.urgent:
            return False
        self._flush_at = now + self._flush_seconds
        slot.urgent = False
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

    def _written(self, minute: int, slot: _Slot, figures: dict[str, Figures]) -> Written:
        return Written(minute, slot.tallies, slot.slow, figures, [(self._about, minute)])

    def _own(self, window: Window) -> list[tuple[str, Written]]:
        """A copy of what this environment has in memory of a window; its latest figures where that is nothing."""
        figures = self._figures()
        with self._lock:
            kept = [self._written(minute, slot, figures) for minute, slot in self._slots.items()]
            own = [
                replace(each, tallies=merge_tallies([each]), slow=[*each.slow])
                for each in kept
                if each.at >= window.first
            ]
        return [
            (self._id, each) for each in own or [Written(window.now, reports=figures, seen=[(self._about, window.now)])]
        ]


performance_monitor = PerformanceMonitor()
"""The monitor that `monitor_performance` uses unless it is given another."""
_runtime.on_restored(performance_monitor.renew)
_runtime.on_flush(lambda final: performance_monitor.flush_soon(only_if_due=not final))
