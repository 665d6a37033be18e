"""The API under load: locust's clients on the whole local stack, gateway and Lambda runtime included.

The scenario is `benchmarks/load/scenario.py`: students who register, sign in, study, look at leaderboards, meet in
spaces and synchronise, each asking again as soon as it has its answer.
"""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Figure, Row, Stage, percentile
from benchmarks.load.drive import Load, driven
from benchmarks.load.record import OK, SEEN, Asked, Measured, Reader
from benchmarks.load.stack import Stack, running
from benchmarks.load.usage import CLIENTS, Usage, cores, usage

LEVELS, PROMISED = (1, 10, 50, 100), 10
WARM_SECONDS, SECONDS, PATIENCE = 4.0, 15.0, 120.0
_CACHED = "GET /gamification/badges"
_SHARED = "The clients, gateway, functions, PostgREST, PostgreSQL and DynamoDB share this machine's cores."


@dataclass(frozen=True)
class Level:
    """What was measured with so many clients."""

    clients: int
    asked: list[Asked]
    seconds: float
    before: Usage
    after: Usage

    @property
    def rate(self) -> float:
        """Requests per second."""
        return len(self.asked) / self.seconds

    @property
    def errors(self) -> list[Asked]:
        """What was not answered as it should be."""
        return [each for each in self.asked if each.seen != OK]

    def of(self, *, cached: bool) -> list[float]:
        """Return the milliseconds of what is answered from memory, or of all else."""
        return [each.ms for each in self.asked if (each.name == _CACHED) is cached]

    def by_name(self) -> dict[str, list[float]]:
        """Return the milliseconds by endpoint."""
        found: dict[str, list[float]] = {}
        for each in self.asked:
            found.setdefault(each.name, []).append(each.ms)
        return dict(sorted(found.items()))


def run(stage: Stage) -> list[Row]:
    """Measure each level on one stack, after a round that wakes every function's processes."""
    levels = []
    with (
        TemporaryDirectory(prefix="studysync-load-") as folder,
        running(Path(folder) / "home") as stack,
        stage.bar("API under load", len(LEVELS) + 1) as advance,
    ):
        _measure(stack, max(LEVELS), 1.0, Path(folder))
        advance()
        for clients in LEVELS:
            levels.append(_measure(stack, clients, SECONDS, Path(folder)))
            advance()
    promised = next(level for level in levels if level.clients == PROMISED)
    return [*_promises(promised), *_growth(levels), *_cost(levels)]


def _measure(stack: Stack, clients: int, seconds: float, folder: Path) -> Level:
    record = folder / f"{clients}-{time.monotonic_ns()}.jsonl"
    load = Load(clients, warm=WARM_SECONDS, seconds=seconds)
    reader, asked = Reader(record), list[Asked]()
    with driven(load, stack.url, record) as locust:
        end = time.monotonic() + PATIENCE
        began = None
        while locust.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            for line in reader.new():
                if isinstance(line, Measured) and line.end == 0:
                    began = usage(stack, locust.pid)
                elif isinstance(line, Measured) and began is not None:
                    kept = [each for each in asked if line.begin <= each.at <= line.end]
                    return Level(clients, kept, line.end - line.begin, began, usage(stack, locust.pid))
                elif isinstance(line, Asked):
                    asked.append(line)
    raise RuntimeError(_why(record.with_suffix(".locust"), locust))


def _why(output: Path, locust: subprocess.Popen[bytes]) -> str:
    return f"locust ended with {locust.returncode}: {output.read_text(encoding='utf-8', errors='replace')[-2000:]}"


def _promises(level: Level) -> list[Row]:
    name = f"API at {level.clients} clients"
    everything = [each.ms for each in level.asked]
    cached = Figure.of(_CACHED, level.of(cached=True))
    whole = Figure.of("uncached, all", level.of(cached=False))
    endpoints = [Figure.of(path, found) for path, found in level.by_name().items()]
    note = f"{len(everything):,} requests in {level.seconds:.0f} s, {level.rate:.0f} per second. {_SHARED}"
    seen = Counter(each.seen for each in level.errors)
    why = "; ".join(f"{count} {SEEN[kind]}" for kind, count in seen.items())
    by_endpoint = Counter(each.name for each in level.errors)
    errors = [Figure.exact(path, by_endpoint[path]) for path in level.by_name()]
    return [
        Row(f"{name}, cached", "under 50 ms", cached.median, 50.0, "ms", [cached], note=note),
        Row(f"{name}, uncached", "under 500 ms", whole.median, 500.0, "ms", [whole, *endpoints]),
        Row(
            f"{name}, slowest",
            "p99 under 2 s",
            percentile(everything, 99),
            2000.0,
            "ms",
            [Figure.of("all requests", everything)],
            value_label="p99",
        ),
        Row(f"{name}, errors", "none", len(level.errors), 0.0, "", errors, note=why),
    ]


def _growth(levels: list[Level]) -> list[Row]:
    """How throughput and latency go with the number of clients; beyond what the cores can do, all wait longer."""
    rates = [Figure.exact(f"{level.clients} clients", level.rate) for level in levels]
    waits = []
    for level in levels:
        waits.append(Figure.of(f"{level.clients} clients, cached", level.of(cached=True)))
        waits.append(Figure.of(f"{level.clients} clients, uncached", level.of(cached=False)))
        for share in (50, 95, 99):
            value = percentile([each.ms for each in level.asked], share)
            waits.append(Figure.exact(f"{level.clients} clients, p{share} of all", value))
    errors = sum(len(level.errors) for level in levels)
    most = max(level.rate for level in levels)
    row = Row(
        "API under load, throughput", "none made", most, None, "per second", rates, value_label="most", note=_SHARED
    )
    last = f"{errors} errors in {sum(len(level.asked) for level in levels):,} requests at all levels together."
    slow = percentile([each.ms for each in levels[-1].asked], 99)
    label = f"p99 at {levels[-1].clients} clients"
    return [row, Row("API under load, latency", "none made", slow, None, "ms", waits, value_label=label, note=last)]


def _cost(levels: list[Level]) -> list[Row]:
    """CPU by part, a request, which is what throughput ends at, and memory."""
    spent, memory = [], []
    for level in levels:
        for group, busy in cores(level.before, level.after).items():
            spent.append(Figure.exact(f"{level.clients} clients, {group}", busy / level.rate * 1e3))
        for group, size in level.after.memory.items():
            count = level.after.processes[group]
            memory.append(Figure.exact(f"{level.clients} clients, {group} ({count} processes)", size))
    last = levels[-1]
    used = cores(last.before, last.after)
    locust = used.get(CLIENTS, 0.0)
    total = (sum(used.values()) - locust) / last.rate * 1e3
    note = f"{sum(used.values()):.2f} cores were busy at {last.clients} clients, {locust:.2f} of them with the clients."
    size = sum(value for group, value in last.after.memory.items() if group != CLIENTS)
    whole = f"at {last.clients} clients, excluding the clients"
    return [
        Row("API under load, CPU per request", "none made", total, None, "ms", spent, value_label=whole, note=note),
        Row("API under load, memory", "none made", size, None, "MB", memory, value_label=whole),
    ]
