"""Reading what all environments wrote, and keeping the figures of ten minutes of all of them in one item for a day."""

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
"""Windows up to this many minutes are reported by minute, longer ones by ten minutes."""
LATE_SPANS: Final = 9
"""So many times of ten minutes are still all there: minutes are kept for two hours."""
_KEEP_MINUTES: Final = 2 * 60
_KEEP_ROLLED_SECONDS: Final = 26 * 3_600


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What all environments measured.

    Attributes:
        names: Figures by name, for the whole time that was asked for.
        minutes: One entry for each minute with calls, oldest first; for each `step_minutes` where that is more.
        slow: The slowest calls, slowest first.
        environments: How many environments took part; of a window over an hour, in what was not rolled up yet.
        complete: False when the store did not answer and only this environment's figures are shown.
        reports: What `report` added, by name: the latest figures of each environment.
        step_minutes: What an entry of `minutes` stands for.
        seen: What environments said of themselves, and the Unix second of the first minute in which one did.
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
        id: Names it; made anew for each copy of a memory.
        about: What it said of itself.
        last_seen: Unix second at which its last minute with calls began.
        figures: Its calls that are charted, under the name "".
        reports: What `report` added, by name.
    """

    id: str
    about: About
    last_seen: int
    figures: Performance
    reports: dict[str, Figures]


@dataclass(slots=True)
class Found:
    """What was read.

    Attributes:
        minutes: By environment and minute, of times that are not rolled up.
        rolled: By time of ten minutes.
    """

    minutes: dict[tuple[str, int], Written] = field(default_factory=dict)
    rolled: dict[int, Written] = field(default_factory=dict)

    def knowing(self, own: Iterable[tuple[str, Written]]) -> Found:
        """Return the same with what the environment that asks knows better than the store."""
        known = {(environment, each.at): each for environment, each in own if each.at // SPAN not in self.rolled}
        return Found({**self.minutes, **known}, self.rolled)

    def latest(self) -> dict[str, Written]:
        """Return the last minute of each environment."""
        return {environment: self.minutes[environment, minute] for environment, minute in sorted(self.minutes)}

    def by_environment(self, charted: Callable[[str], bool]) -> tuple[EnvironmentReport, ...]:
        """Return the environments, the busiest first."""
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
    """The time that is asked about.

    Args:
        minutes: How long it is.
        now: Its last minute, counted from the epoch.
        generation: Of figures that have not been forgotten.
    """

    def __init__(self, minutes: int, now: int, generation: int) -> None:
        self.step = 1 if minutes <= BY_MINUTE else SPAN
        self.now, self.first, self._generation = now, (now - minutes + 1) // self.step * self.step, generation

    def read(self, store: Store) -> Found:
        """Read it; raises StoreError."""
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
        """Put together what was found."""
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
    """Read ten minutes as environments wrote them, with the id of each; raises StoreError."""

    def read(item: Item) -> list[tuple[str, Written]]:
        _, minute, kept, environment = item.sk.split("#")
        return [(environment, Written.unpack(int(minute), item))] if int(kept) == generation else []

    found = readable(PARTITION, store.query(PARTITION, sk_prefix=f"{tens}#"), read)
    return [each for written in found for each in written]


def roll_up(store: Store, tens: int, generation: int, *, most_names: int, most_slow: int) -> bool:
    """Put ten minutes of all environments into one item; False where there is nothing. Raises StoreError."""
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
