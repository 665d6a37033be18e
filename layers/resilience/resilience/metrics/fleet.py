"""Reads what all environments wrote, and rolls up ten minutes of all of them into one item that is kept for a day."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from resilience.metrics.instance import readable
from resilience.metrics.performance import Performance, SlowCall, Tally
from resilience.metrics.written import (
    PARTITION,
    SPAN,
    About,
    Figures,
    Minute,
    Written,
    charted_minutes,
    first_seen,
    merge_tallies,
    rolled_up,
    slowest,
)
from resilience.store.protocol import Item, Store

BY_MINUTE: Final = 60
"""Windows of up to this many minutes are reported per minute, longer ones per ten minutes."""
LATE_SPANS: Final = 9
"""Number of past ten-minute spans whose minutes are certain to be still stored: minutes are kept for two hours."""
_KEEP_MINUTES: Final = 2 * 60
_KEEP_ROLLED_SECONDS: Final = 26 * 3_600


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What all environments measured in a window of time.

    Attributes:
        names: Figures by name, over the whole window.
        minutes: One entry per `step_minutes` minutes with calls, oldest first.
        slow: The slowest calls, slowest first.
        environments: Number of environments that measured; in a window over an hour, only those in minutes that are
            not rolled up yet.
        complete: False when the store did not answer and the report has only this environment's figures.
        reports: Figures added by `PerformanceMonitor.report`, by name: the latest of each environment.
        step_minutes: Minutes per entry of `minutes`: 1, or 10 in a window over an hour.
        seen: Each description that environments gave of themselves, with the Unix second of the first minute in which
            one gave it.
    """

    names: dict[str, Performance]
    minutes: tuple[Minute, ...]
    slow: tuple[SlowCall, ...]
    environments: int
    complete: bool
    reports: dict[str, tuple[Figures, ...]] = field(default_factory=dict)
    step_minutes: int = 1
    seen: tuple[tuple[About, int], ...] = ()


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """What one environment measured.

    Attributes:
        id: Random id of the environment; every copy of its memory (fork, restore) gets a new one.
        about: Its description of itself.
        last_seen: Unix second at which its last minute with calls began; the current minute for an environment that
            asks without any calls.
        figures: Its charted calls, under the name "".
        reports: Figures added by `PerformanceMonitor.report`, by name.
    """

    id: str
    about: About
    last_seen: int
    figures: Performance
    reports: dict[str, Figures]


@dataclass(slots=True)
class Found:
    """What was read from the store.

    Attributes:
        minutes: Figures by environment id and minute, for spans that are not rolled up.
        rolled: Roll-ups by ten-minute span.
    """

    minutes: dict[tuple[str, int], Written] = field(default_factory=dict)
    rolled: dict[int, Written] = field(default_factory=dict)

    def knowing(self, own: Iterable[tuple[str, Written]]) -> Found:
        """Return the same, with the asking environment's own minutes, which are newer than those in the store."""
        known = {(environment, each.at): each for environment, each in own if each.at // SPAN not in self.rolled}
        return Found({**self.minutes, **known}, self.rolled)

    def latest(self) -> dict[str, Written]:
        """Return the last minute of each environment."""
        return {environment: self.minutes[environment, minute] for environment, minute in sorted(self.minutes)}

    def by_environment(self, charted: Callable[[str], bool]) -> tuple[EnvironmentReport, ...]:
        """Return a report for each environment, busiest first."""
        reports = []
        for id_, last in self.latest().items():
            together = Tally()
            for name, tally in merge_tallies(w for (of, _), w in self.minutes.items() if of == id_).items():
                if charted(name):
                    together.merge(tally)
            about = last.seen[-1][0] if last.seen else {}
            reports.append(EnvironmentReport(id_, about, last.at * 60, together.show(""), last.reports))
        return tuple(sorted(reports, key=lambda each: -each.figures.count))


class Window:
    """The window of time that a report covers; over an hour, it starts at a whole ten minutes.

    Args:
        minutes: Its length in minutes.
        now: Its last minute, counted from the epoch.
        generation: The generation to read; figures of others have been reset.
    """

    def __init__(self, minutes: int, now: int, generation: int) -> None:
        self.step = 1 if minutes <= BY_MINUTE else SPAN
        self.now, self.first, self._generation = now, (now - minutes + 1) // self.step * self.step, generation

    def read(self, store: Store) -> Found:
        """Read the window from the store; raise StoreError when the store does not answer."""
        rolled = self._read_rolled(store) if self.step > 1 else {}
        oldest = max(self.first, self.now - _KEEP_MINUTES) // SPAN
        minutes = {}
        for tens in range(oldest, self.now // SPAN + 1):
            if tens not in rolled:
                for environment, each in read_span(store, tens, self._generation):
                    if each.at >= self.first:
                        minutes[environment, each.at] = each
        return Found(minutes, rolled)

    def _read_rolled(self, store: Store) -> dict[int, Written]:
        first, current = self.first // SPAN, self.now // SPAN
        rolled: dict[int, Written] = {}

        def read(item: Item) -> dict[int, Written]:
            _, _, tens, generation = item.sk.split("#")
            wanted = first <= int(tens) < current and int(generation) == self._generation
            return {int(tens): Written.unpack(int(tens), item)} if wanted else {}

        for hundred in range(first // 10, current // 10 + 1):
            for each in readable(PARTITION, store.query(PARTITION, sk_prefix=f"rolled#{hundred}#"), read):
                rolled |= each
        return rolled

    def report(self, found: Found, *, slow: int, charted: Callable[[str], bool], complete: bool) -> FleetReport:
        """Merge what was found into a report.

        Args:
            found: What was read.
            slow: Maximum number of slow calls to list.
            charted: Decides by name which calls count in the figures per minute.
            complete: Whether the store answered.
        """
        latest = found.latest()
        reports: dict[str, list[Figures]] = {}
        for each in latest.values():
            for name, figures in each.reports.items():
                reports.setdefault(name, []).append(figures)
        every = [*found.minutes.values(), *found.rolled.values()]
        by_step = [(each.at // self.step, each) for each in found.minutes.values() if each.tallies]
        by_step += found.rolled.items()
        return FleetReport(
            names={name: tally.show(name) for name, tally in sorted(merge_tallies(every).items())},
            minutes=charted_minutes(by_step, self.step, charted),
            slow=tuple(slowest(every, slow)),
            environments=len(latest),
            complete=complete,
            reports={name: tuple(figures) for name, figures in reports.items()},
            step_minutes=self.step,
            seen=tuple((about, minute * 60) for about, minute in first_seen(every)),
        )


def read_span(store: Store, tens: int, generation: int) -> list[tuple[str, Written]]:
    """Return the minutes of one ten-minute span, each with its environment's id; raise StoreError."""

    def read(item: Item) -> list[tuple[str, Written]]:
        _, minute, kept, environment = item.sk.split("#")
        return [(environment, Written.unpack(int(minute), item))] if int(kept) == generation else []

    found = readable(PARTITION, store.query(PARTITION, sk_prefix=f"{tens}#"), read)
    return [each for written in found for each in written]


def roll_up(store: Store, tens: int, generation: int, *, most_names: int, most_slow: int) -> bool:
    """Roll up ten minutes of all environments into one item.

    Args:
        store: The store.
        tens: The ten-minute span, counted from the epoch.
        generation: The generation to read; figures of others have been reset.
        most_names: Maximum number of names; the others are merged as "(other)".
        most_slow: Maximum number of slow calls.

    Returns:
        False when there is nothing to roll up.

    Raises:
        StoreError: The store does not answer.
    """
    found = [each for _, each in read_span(store, tens, generation)]
    if found:
        together = rolled_up(tens, found, most_names=most_names, most_slow=most_slow)
        ttl = tens * SPAN * 60 + _KEEP_ROLLED_SECONDS
        store.put(PARTITION, f"rolled#{tens // 10}#{tens}#{generation}", {"data": together.pack()}, ttl=ttl)
    return bool(found)


def key(minute: int, generation: int, environment: str) -> str:
    """Return the sort key of one minute of one environment."""
    return f"{minute // SPAN}#{minute}#{generation}#{environment}"


def expiry(minute: int) -> int:
    """Return the Unix second until which a minute of one environment is kept."""
    return (minute + _KEEP_MINUTES) * 60
