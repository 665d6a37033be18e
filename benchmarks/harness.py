"""Measuring: rounds that take turns, medians with their spread, rows with a promise and whether it is kept."""

from __future__ import annotations

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
    """One measured thing: the median, and the range of the middle 90 % of the samples."""

    label: str
    median: float
    low: float
    high: float
    samples: int

    @classmethod
    def of(cls, label: str, samples: Sequence[float]) -> Figure:
        """Sum up samples."""
        return cls(label, statistics.median(samples), percentile(samples, 5), percentile(samples, 95), len(samples))

    @classmethod
    def exact(cls, label: str, value: float) -> Figure:
        """Wrap a figure that has no spread: a count, or a share."""
        return cls(label, value, value, value, 1)


@dataclass
class Row:
    """One promise.

    Args:
        name: the benchmark's name and what of it this is.
        promise: in words.
        value: what is compared with the promise; `limit` is the most (or least) that it may be.
        unit: of the figures: ms, us, ratio, per second...
        figures: ours first, then peers and baselines.
        at_least: the promise is a lower bound.
        note: what the reader should know.
        value_label: what the value is, where it is not the first figure's median.
        value_unit: its unit, where it is not the figures'; empty for ratios and counts.
        series: for a plot, by name: points of x and y.
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
        """Whether the promise is kept; None where nothing is promised."""
        if self.limit is None:
            return None
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def as_dict(self) -> dict[str, Any]:
        """Return it for the JSON result."""
        unit = self.unit if self.value_unit is None else self.value_unit
        return {**asdict(self), "value_unit": unit, "kept": self.kept}


def percentile(samples: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile, `share` from 0 to 100."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, max(0, round(share / 100 * len(ordered) + 0.5) - 1))]


def timed(work: Work, scale: float = 1e3) -> float:
    """Run once; returns milliseconds (or seconds times `scale`)."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * scale


class Stage:
    """What a benchmark is given: progress to tell, and backends that are started when first asked for."""

    def __init__(self, progress: Progress, home: Path) -> None:
        self._progress, self._home = progress, home
        self._backends: Backends | None = None

    @property
    def backends(self) -> Backends:
        """PostgreSQL, PostgREST, auth and DynamoDB, shared by the run.

        PostgreSQL may keep as much in memory as the smallest server that one would give a million users.
        """
        if self._backends is None:
            self._backends = Backends(self._home / "stack", durable=False, memory="1GB").start()
        return self._backends

    def close(self) -> None:
        """End what was started."""
        if self._backends is not None:
            self._backends.stop()

    @contextmanager
    def bar(self, title: str, total: int) -> Iterator[Callable[[], None]]:
        """Show a progress bar; the block calls the yielded function once per step."""
        task = self._progress.add_task(title, total=total)
        yield lambda: self._progress.advance(task)
        self._progress.update(task, completed=total)

    def say(self, title: str) -> Callable[[str, int, int], None]:
        """Return a callback for work that tells its steps: title, how many are done, of how many."""
        task = self._progress.add_task(title, total=None)
        return lambda step, done, of: self._progress.update(
            task, description=f"{title}: {step}", completed=done, total=of
        )

    def interleave(self, title: str, works: dict[str, Work], rounds: int, *, scale: float = 1e3) -> list[Figure]:
        """Time each work once a round, in turns, so that what disturbs the machine disturbs all; in milliseconds."""
        samples: dict[str, list[float]] = {label: [] for label in works}
        with self.bar(title, rounds) as advance:
            for _ in range(rounds):
                for label, work in works.items():
                    samples[label].append(timed(work, scale))
                advance()
        return [Figure.of(label, found) for label, found in samples.items()]


@contextmanager
def stage(progress: Progress) -> Iterator[Stage]:
    """Set up a stage in a temporary folder, and remove it afterwards."""
    with TemporaryDirectory(prefix="studysync-bench-") as folder:
        stage = Stage(progress, Path(folder))
        try:
            yield stage
        finally:
            stage.close()
