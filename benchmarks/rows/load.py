"""The API under load: Locust clients on the whole local stack, including the gateway and the Lambda runtime.

The scenario is `benchmarks/load/scenario.py`: students who register, sign in, study, view leaderboards, meet in spaces
and sync. Each client sends its next request as soon as it has an answer.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import Figure, Row, Stage, percentile
from benchmarks.load.drive import Load
from benchmarks.load.measure import CACHED, Level, measured
from benchmarks.load.record import SEEN
from benchmarks.load.stack import running
from benchmarks.load.usage import CLIENTS, cores

LEVELS, PROMISED = (1, 10, 50, 100), 10
WARM_SECONDS, SECONDS = 4.0, 15.0
_SHARED = "The clients, gateway, functions, PostgREST, PostgreSQL and DynamoDB share this machine's cores."


def run(stage: Stage) -> list[Row]:
    """Measure each number of clients on one stack, after a warm-up that starts every function's processes."""
    levels = []
    with (
        TemporaryDirectory(prefix="studysync-load-") as folder,
        running(Path(folder) / "home") as stack,
        stage.bar("API under load", len(LEVELS) + 1) as advance,
    ):
        measured(stack, Load(max(LEVELS), WARM_SECONDS, 1.0), Path(folder))
        advance()
        for clients in LEVELS:
            levels.append(measured(stack, Load(clients, WARM_SECONDS, SECONDS), Path(folder)))
            advance()
    promised = next(level for level in levels if level.clients == PROMISED)
    return [*_promises(promised), *_growth(levels), *_cost(levels)]


def _promises(level: Level) -> list[Row]:
    name = f"API at {level.clients} clients"
    everything = [each.ms for each in level.asked]
    cached = Figure.of(CACHED, level.of(cached=True))
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
    """Return throughput and latency by number of clients; once the cores are saturated, only latency grows."""
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
    """Return the CPU time per request, which limits throughput, and the memory, both by component."""
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
