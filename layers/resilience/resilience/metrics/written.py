"""The stored form of measurements: an item per minute of one environment, and a roll-up per ten minutes of all."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from resilience.metrics.performance import Performance, SlowCall, Tally
from resilience.store.protocol import Item

PARTITION: Final = "metrics"
OTHER: Final = "(other)"
SPAN: Final = 10
"""Minutes that one roll-up covers."""

Figures = Mapping[str, float]
About = Mapping[str, str]


@dataclass(slots=True)
class Written:
    """Figures of one environment for one minute, or of all environments for ten minutes (a roll-up).

    Attributes:
        at: The minute, or the ten-minute span, counted from the epoch.
        tallies: Counts by name.
        slow: The slowest calls.
        reports: Figures added by `PerformanceMonitor.report`, by name; empty in a roll-up.
        seen: Each description that environments gave of themselves, with the first minute in which one gave it.
    """

    at: int
    tallies: dict[str, Tally] = field(default_factory=dict)
    slow: list[SlowCall] = field(default_factory=list)
    reports: dict[str, Figures] = field(default_factory=dict)
    seen: list[tuple[About, int]] = field(default_factory=list)

    def pack(self) -> bytes:
        """Return the stored form: JSON compressed with zlib."""
        data = {
            "names": {name: tally.dump() for name, tally in self.tallies.items()},
            "slow": [[c.name, round(c.seconds, 3), round(c.at, 3), c.failed, c.detail] for c in self.slow],
            "reports": self.reports,
            "seen": self.seen,
        }
        return zlib.compress(json.dumps(data, separators=(",", ":")).encode())

    @classmethod
    def unpack(cls, at: int, item: Item) -> Written:
        """Return the figures of a stored item."""
        packed = item.attributes["data"]
        data: dict[str, Any] = json.loads(zlib.decompress(packed if isinstance(packed, bytes) else b""))
        tallies = {name: Tally.load(each) for name, each in data["names"].items()}
        slow = [SlowCall(str(name), float(s), float(end), bool(f), detail) for name, s, end, f, detail in data["slow"]]
        reports = {name: {key: float(n) for key, n in figures.items()} for name, figures in data["reports"].items()}
        return cls(at, tallies, slow, dict(reports), [(dict(about), int(first)) for about, first in data["seen"]])


class Minute(NamedTuple):
    """All charted calls of one minute, or of ten minutes in a window over an hour.

    Attributes:
        at: Unix second at which it began.
        figures: The figures of these calls, under the name "".
    """

    at: int
    figures: Performance


def merge_tallies(found: Iterable[Written]) -> dict[str, Tally]:
    """Return the merged tallies by name."""
    merged: dict[str, Tally] = {}
    for each in found:
        for name, tally in each.tallies.items():
            merged.setdefault(name, Tally()).merge(tally)
    return merged


def slowest(found: Iterable[Written], most: int) -> list[SlowCall]:
    """Return the slowest calls, slowest first, at most `most`."""
    return sorted((call for each in found for call in each.slow), key=lambda call: -call.seconds)[:most]


def first_seen(found: Iterable[Written]) -> list[tuple[About, int]]:
    """Return each description that environments gave of themselves, with the first minute in which one gave it."""
    firsts: dict[tuple[tuple[str, str], ...], int] = {}
    for about, minute in (entry for each in found for entry in each.seen):
        key = tuple(sorted(about.items()))
        firsts[key] = min(minute, firsts.get(key, minute))
    return [(dict(key), minute) for key, minute in sorted(firsts.items(), key=lambda entry: (entry[1], entry[0]))]


def rolled_up(tens: int, found: list[Written], *, most_names: int, most_slow: int) -> Written:
    """Return the roll-up of what all environments wrote in ten minutes; its size does not grow with their number."""
    named = sorted(merge_tallies(found).items(), key=lambda entry: -entry[1].sketch.count)
    tallies = dict(named[:most_names])
    for _, tally in named[most_names:]:
        tallies.setdefault(OTHER, Tally()).merge(tally)
    return Written(tens, tallies, slowest(found, most_slow), {}, first_seen(found))


def charted_minutes(
    found: Iterable[tuple[int, Written]], step: int, charted: Callable[[str], bool]
) -> tuple[Minute, ...]:
    """Return the charted calls merged per `step` minutes, oldest first; `found` pairs each with its step's number."""
    by_step: dict[int, list[Written]] = {}
    for at, each in found:
        by_step.setdefault(at, []).append(each)
    minutes = []
    for at, several in sorted(by_step.items()):
        together = Tally()
        for name, tally in merge_tallies(several).items():
            if charted(name):
                together.merge(tally)
        minutes.append(Minute(at * 60 * step, together.show("")))
    return tuple(minutes)
