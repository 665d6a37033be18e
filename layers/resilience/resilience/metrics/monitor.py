"""The monitor: counts calls in memory, writes the counts to the store, and merges those of all environments.

Each environment keeps one item per minute in the store, with all its names, and replaces it during the minute. It
writes at most once per `flush_seconds`, and only once `flush_calls` calls were counted, a call was slow or failed, or
the minute is over. Reading merges the items of all environments. They are kept for two hours. `roll_up`, called every
ten minutes by one environment of the fleet, merges the figures of all environments into items that are kept for a day
and whose number does not grow with the fleet.

Failure policy: counts that cannot be written are included in the next flush, as long as their minute is in memory (15
minutes). Measuring never fails a call.
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
    """The counts of one minute in this environment."""

    __slots__ = ("dirty", "slow", "tallies", "urgent")

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self.slow: list[SlowCall] = []
        self.dirty = 0
        self.urgent = False


class PerformanceMonitor(InstanceRecorder):
    """A monitor of the duration and errors of calls, by name.

    Args:
        slow_seconds: Threshold in seconds: a call that takes longer is slow and listed. Default 1.0.
        max_names: Names counted separately, default 200; further names are counted together as "(other)".
        max_slow: Slow calls listed per minute and environment, default 20; the slowest are kept.
        flush_seconds: Minimum seconds between two writes, default 10.
        flush_calls: Number of calls that justify a write before their minute is over, default 20. One slow or failed
            call justifies it as well.
        store: The store that all environments share; None uses the default store.
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
        """Become a new environment after a fork or restore; the counts belong to the original."""
        super().renew()
        self._forget()

    def record(self, name: str, seconds: float, *, error: bool = False, detail: str = "") -> None:
        """Count a call.

        Args:
            name: What was called. Use a route template rather than a path, so that there are few names.
            seconds: How long it took; 0 or more.
            error: Whether it failed.
            detail: Listed with the call if it is slow, such as a request id; "" for nothing.
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
        """Add figures of this environment, such as a pool's, to what is written.

        Args:
            name: Their name in FleetReport.reports; a second function of the same name replaces the first.
            figures: Returns the figures. It is called at each flush and each report, and must be quick. An error that
                it raises ends the flush or the report.

        Raises:
            ConfigurationError: The name is empty.
        """
        self._reporters[_validation.text("name", name)] = figures

    def describe(self, **about: str) -> None:
        """Set the description of this environment, such as its version, which is written with the counts."""
        self._about = about

    def get_metrics(self) -> dict[str, Performance]:
        """Return this environment's figures since it started or was reset, by name."""
        self._check_generation()
        with self._lock:
            return {name: tally.show(name) for name, tally in sorted(self._totals.items())}

    def slow_requests(self, threshold: float | None = None) -> tuple[SlowCall, ...]:
        """Return this environment's latest slow calls, at most 100, newest first.

        Args:
            threshold: Only calls that took longer than this many seconds; None for all.
        """
        with self._lock:
            return tuple(each for each in reversed(self._recent) if threshold is None or each.seconds > threshold)

    def fleet(self, minutes: int = 15, *, slow: int = 50, charted: Callable[[str], bool] = bool) -> FleetReport:
        """Return what all environments measured; from an event loop, use `fleet_async`, because this reads the store.

        Args:
            minutes: Length of the window, including the current minute; from 1 to 1,440. Over 60, the window starts at
                a whole ten minutes, and figures older than two hours exist only if they were rolled up.
            slow: Maximum number of slow calls to list.
            charted: Decides by name which calls count in the figures per minute; by default all with a non-empty name.

        Returns:
            The report. If the store did not answer, it covers only this environment, and `complete` is False.

        Raises:
            ConfigurationError: minutes is out of range.
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
        """Run `fleet` without blocking the event loop."""
        blocking = self._bound().store.blocking
        return await _background.run(lambda: self.fleet(minutes, slow=slow, charted=charted), blocking=blocking)

    def environments(
        self, minutes: int = 15, *, charted: Callable[[str], bool] = bool
    ) -> tuple[tuple[EnvironmentReport, ...], bool]:
        """Return what each environment measured; from an event loop, use `environments_async`.

        Args:
            minutes: Length of the window, including the current minute; from 1 to 60.
            charted: Decides by name which calls count in the figures; by default all with a non-empty name.

        Returns:
            One report per environment, busiest first, and whether the store answered. If it did not, the only report is
            that of this environment.

        Raises:
            ConfigurationError: minutes is out of range.
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
        """Run `environments` without blocking the event loop."""
        blocking = self._bound().store.blocking
        return await _background.run(lambda: self.environments(minutes, charted=charted), blocking=blocking)

    def roll_up(self) -> int:
        """Roll up the last complete ten minutes, to be kept for a day; call it every ten minutes in one environment.

        Once an hour it rolls up the last 90 minutes again, to include late writes of environments with few calls.

        Returns:
            Number of ten-minute spans that were written.

        Raises:
            StoreError: The store does not answer.
        """
        self._bound().refresh(self._clock)  # learn of resets first: figures that were forgotten must not come back
        self.flush()
        current, generation = int(self._clock.wall() // 600), self._check_generation()
        limits = {"most_names": self._max_names, "most_slow": self._max_slow}
        spans = range(current - (LATE_SPANS if current % 6 == 0 else 1), current)
        return sum(roll_up(self._bound().store, each, generation, **limits) for each in spans)

    async def roll_up_async(self) -> int:
        """Run `roll_up` without blocking the event loop."""
        return await _background.run(self.roll_up, blocking=self._bound().store.blocking)

    def reset(self) -> None:
        """Forget everything: here at once, in every other environment within five seconds."""
        self._forget_everywhere()

    async def reset_async(self) -> bool:
        """Forget everything like `reset`, and wait for the store without blocking the event loop.

        Returns:
            False when the store did not answer and only this environment forgot.
        """
        return await self._forget_everywhere_async()

    def flush_soon(self, *, only_if_due: bool = False) -> None:
        """Write the counts without making the caller wait for a store that blocks.

        Args:
            only_if_due: Write only if flush_seconds have passed and there is enough to write; see the module.
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
        """Return copies of this environment's minutes in a window; if there are none, only its reported figures."""
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
"""The monitor that `monitor_performance` uses by default."""
_runtime.on_restored(performance_monitor.renew)
_runtime.on_flush(lambda final: performance_monitor.flush_soon(only_if_due=not final))
