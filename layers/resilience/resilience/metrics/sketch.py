"""A quantile sketch: the distribution of call durations, within 1 % of each value, in a few hundred whole numbers.

The mapping is DDSketch's (Masson, Rim, Lee: "DDSketch", VLDB 2019): bucket i holds the values from gamma^(i-1) to
gamma^i, with gamma = (1 + a) / (1 - a) and accuracy a = 0.01. Counts add up, so sketches of many environments merge
without loss.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

_ACCURACY: Final = 0.01
_GAMMA: Final = (1 + _ACCURACY) / (1 - _ACCURACY)
_SCALE: Final = 1.0 / math.log(_GAMMA)
_SMALLEST: Final = 1e-6


class Sketch:
    """Counts of values by bucket; values below one millionth share its bucket."""

    __slots__ = ("bins", "count", "largest", "total")

    def __init__(self) -> None:
        self.bins: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.largest = 0.0

    def add(self, value: float) -> None:
        """Count a value of 0 or more."""
        index = math.ceil(math.log(value) * _SCALE) if value > _SMALLEST else math.ceil(math.log(_SMALLEST) * _SCALE)
        self.bins[index] = self.bins.get(index, 0) + 1
        self.count += 1
        self.total += value
        self.largest = max(self.largest, value)

    def merge(self, other: Sketch) -> None:
        """Add another sketch's counts to this one."""
        for index, count in other.bins.items():
            self.bins[index] = self.bins.get(index, 0) + count
        self.count += other.count
        self.total += other.total
        self.largest = max(self.largest, other.largest)

    def quantile(self, share: float) -> float:
        """Return the value below which a share of the values lies, within 1 %; 0.0 when there are no values.

        Args:
            share: The share, from 0.0 to 1.0; 0.95 for the 95th percentile.
        """
        if not self.count:
            return 0.0
        rank, seen, index = share * (self.count - 1), 0, 0
        for index in sorted(self.bins):  # pragma: no branch - it ends in the last bin: rank is less than count
            seen += self.bins[index]
            if seen > rank:
                break
        return min(self.largest, float(2 * _GAMMA**index / (_GAMMA + 1)))

    def mean(self) -> float:
        """Return the exact average; 0.0 when there are no values."""
        return self.total / self.count if self.count else 0.0

    def dump(self) -> list[float]:
        """Return the sketch as numbers: total, largest, then for each bucket its distance from the last and its count.

        Total and largest are rounded to six decimals.
        """
        numbers: list[float] = [round(self.total, 6), round(self.largest, 6)]
        before = 0
        for index in sorted(self.bins):
            numbers += [index - before, self.bins[index]]
            before = index
        return numbers

    @classmethod
    def load(cls, numbers: Iterable[float]) -> Sketch:
        """Return the sketch that `dump` stored."""
        sketch = cls()
        total, largest, *pairs = numbers
        sketch.total, sketch.largest = float(total), float(largest)
        index = 0
        for step, count in zip(pairs[::2], pairs[1::2], strict=True):
            index += int(step)
            sketch.bins[index] = int(count)
        sketch.count = sum(sketch.bins.values())
        return sketch
