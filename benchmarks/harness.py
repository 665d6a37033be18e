"""Measurement tools: interleaved rounds, medians with their spread, and rows that compare a value with a promise."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.progress import Progress

from local.backends import Backends

Work = Callable[[], object]


@dataclass(frozen=True)
class Figure:
    """One measured quantity: the median and the 5th and 95th percentiles (`low`, `high`) of its samples."""

    label: str
    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, label: str, samples: Sequence[float]) -> Figure:
        """Summarise samples."""
        return cls(label, statistics.median(samples), percentile(samples, 5), percentile(samples, 95), len(samples))

    @classmethod
    def exact(cls, label: str, value: float) -> Figure:
        """Return a figure without spread, such as a count or a share."""
        return cls(label, value, value, value, 1)


@dataclass
class Row:
    """One promise and what was measured for it.

    Args:
        name: what was measured.
        promise: the promise in words.
        value: the measured value that is compared with `limit`.
        limit: the highest value that keeps the promise (the lowest if `at_least`); None if nothing is promised.
        unit: unit of the figures: ms, us, per second...
        figures: ours first, then peers and baselines.
        at_least: whether `limit` is a lower bound.
        note: what the reader should know.
        value_label: what `value` is, if it is not the first figure's median.
        value_unit: unit of `value`, if it differs from the figures'; empty for ratios and counts.
        series: (x, y) points by series name, for a plot.
    """

    name: str
    promise: str
    value: float
    limit: float | None
    unit: str
    figures: list[Figure] = field(default_factory=list)
    at_least: bool = False
    note: str = ""
    value_label: str = ""
    value_unit: str | None = None
    series: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    @property
    def kept(self) -> bool | None:
        """Whether the promise is kept; None if nothing is promised."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return the row for the JSON results."""
        unit = self.unit if self.value_unit is None else self.value_unit
        return {**asdict(self), "value_unit": unit, "kept": self.kept}


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of the samples; `share` is from 0 to 100."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered) / 100) - 1)]


def timed(work: Work, scale: float = 1e3) -> float:
    """Run `work` once; return its duration in seconds times `scale` (by default, milliseconds)."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * scale


class Stage:
    """The context a benchmark runs in: progress bars, and backends that are started on first use."""

    def __init__(self, progress: Progress, home: Path) -> None:
        self._progress, self._home = progress, home
        self._backends: Backends | None = None

    @property
    def backends(self) -> Backends:
        """PostgreSQL, PostgREST, auth and DynamoDB, shared by all benchmarks of the run.

        PostgreSQL gets 1 GB of shared buffers, as on the smallest server that would be used for a million users.
        """
        if self._backends is None:
            self._backends = Backends(self._home / "stack", durable=False, memory="1GB").start()
        return self._backends

    def close(self) -> None:
        """Stop the backends, if they were started."""
        if self._backends is not None:
            self._backends.stop()

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a progress bar of `total` steps; the block calls the yielded function once per step."""
        task = self._progress.add_task(title, total=total)
        yield lambda: self._progress.advance(task)
        self._progress.update(task, completed=total)

    def say(self, title: str) -> Callable[[str, int, int], None]:
        """Return a progress callback that takes a step's title, the number of steps done and the total."""
        task = self._progress.add_task(title, total=None)
        return lambda step, done, of: self._progress.update(
            task, description=f"{title}: {step}", completed=done, total=of
        )

    def interleave(self, title: str, works: dict[str, Work], rounds: int, *, scale: float = 1e3) -> list[Figure]:
        """Time each work once per round, alternating, so that disturbances affect all; by default in milliseconds."""
        samples: dict[str, list[float]] = {label: [] for label in works}
        with self.bar(title, rounds) as advance:
            for _ in range(rounds):
                for label, work in works.items():
                    samples[label].append(timed(work, scale))
                advance()
        return [Figure.of(label, found) for label, found in samples.items()]


@contextmanager
def stage(progress: Progress) -> Iterator[Stage]:
    """Yield a stage in a temporary folder; afterwards stop its backends and delete the folder."""
    with TemporaryDirectory(prefix="studysync-bench-") as folder:
        stage = Stage(progress, Path(folder))
        try:
            yield stage
        finally:
            stage.close()
