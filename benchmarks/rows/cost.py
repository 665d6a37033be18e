"""What a million requests of the mixed scenario would be billed, at the list prices of `benchmarks/cost/prices.toml`.

The load is `benchmarks/load/scenario.py` at the pace of students, with the limits that a deployment has. Proxies count
what passes between the functions and the database, the table and the clients; the rest is in the logs.
"""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.chaos.proxy import Proxy
from benchmarks.chaos.site import Site, site
from benchmarks.cost.bill import EVENT_BYTES, Usage, bill, billed_ms, monthly, prices
from benchmarks.harness import Figure, Row, Stage
from benchmarks.load.drive import Load
from benchmarks.load.measure import Level, measured
from benchmarks.load.record import Measured
from benchmarks.load.stack import Stack, running
from benchmarks.load.usage import FUNCTIONS, cores
from local.intrinsics import read_template
from local.stack_directory import REPOSITORY, free_port

STUDENTS, PAUSE_SECONDS, FEW, FEW_PAUSE_SECONDS = 40, 8.0, 4, 1.0
LONG_WARM_SECONDS, WARM_SECONDS, SECONDS = 120.0, 15.0, 60.0
"""Long, because a student's first calls of an hour take the most from the table."""
_LIMITS = {"RATE_LIMIT_PER_MINUTE": "100", "RATE_LIMIT_PER_HOUR": "1000"}
_OPERATION = re.compile(rb"x-amz-target: DynamoDB_20120810\.(\w+)", re.IGNORECASE)
_READS = frozenset({"GetItem", "Query", "BatchGetItem"})
_REPORT = re.compile(r"REPORT RequestId: (\S+)\tDuration: (\S+) ms")
_PLATFORM_BYTES = 560
"""The three lines in which Lambda reports an invocation, in JSON, at SystemLogLevel INFO."""
# The values of `$context`'s variables in an access log, which are as long as AWS's.
_CONTEXT = {
    "requestId": "JKJaXmPLvHcESHA=",
    "identity.sourceIp": "203.0.113.195",
    "responseLatency": "12",
    "integrationLatency": "11",
    "integrationErrorMessage": "-",
}


class Meter:
    """Counts what passes a proxy."""

    def __init__(self) -> None:
        self._passed: list[tuple[float, bool, int, list[str]]] = []

    def __call__(self, chunk: bytes, answers: bool) -> None:
        """Count a chunk."""
        operations = [] if answers else [found.decode() for found in _OPERATION.findall(chunk)]
        self._passed.append((time.time(), answers, len(chunk), operations))

    def size(self, window: Measured, *, answers: bool) -> int:
        """Return the bytes that passed."""
        return sum(size for at, back, size, _ in self._passed if back is answers and window.begin <= at <= window.end)

    def operations(self, window: Measured) -> Counter[str]:
        """Return DynamoDB's operations."""
        return Counter(name for at, _, _, names in self._passed if window.begin <= at <= window.end for name in names)


@dataclass(frozen=True)
class Logs:
    """What functions logged in a window: lines, their bytes by kind, durations in milliseconds, series of metrics."""

    lines: int
    size: Counter[str]
    durations: list[float]
    series: set[tuple[str, ...]]


def run(stage: Stage) -> list[Row]:
    """Measure sizes and calls with all students, and durations with few, whom nothing keeps waiting."""
    with TemporaryDirectory(prefix="studysync-cost-") as folder, stage.bar("A million requests", 2) as advance:
        everyone, logs, meters = _traffic(Path(folder))
        advance()
        few, durations = _durations(Path(folder))
        advance()
    usage = _usage(everyone, logs, meters, few, durations)
    count = len(everyone.asked)
    rows = [_cost(everyone, usage), _by_parameter(usage, logs, count), _line(logs, usage, count)]
    return [*rows, _fixed(logs.series)]


def _traffic(folder: Path) -> tuple[Level, Logs, dict[str, Meter]]:
    """All students on a stack whose parts are reached through proxies."""
    with site(folder / "traffic", **_LIMITS) as place:
        front, meters = _watched(place)
        try:
            load = Load(STUDENTS, warm=LONG_WARM_SECONDS, seconds=SECONDS, pause=PAUSE_SECONDS)
            level = measured(place.stack, load, folder, front.origin)
        finally:
            front.stop()
        return level, _logs(place.stack, level.window), meters


def _durations(folder: Path) -> tuple[Level, list[float]]:
    """A few students on a stack without proxies."""
    with running(folder / "few") as stack:
        level = measured(stack, Load(FEW, warm=WARM_SECONDS, seconds=SECONDS, pause=FEW_PAUSE_SECONDS), folder)
        return level, _logs(stack, level.window).durations


def _watched(place: Site) -> tuple[Proxy, dict[str, Meter]]:
    front = Proxy(free_port(), int(place.stack.url.rpartition(":")[2]))
    addresses = (f"127.0.{high}.{low}" for high in range(1, 256) for low in range(1, 255))
    front.source = lambda: (next(addresses), 0)  # nobody shares a limit
    front.start()
    meters = {}
    for name, proxy in (("clients", front), ("database", place.rest), ("table", place.dynamodb)):
        meters[name] = proxy.watch = Meter()
    return front, meters


def _logs(stack: Stack, window: Measured) -> Logs:
    time.sleep(1.0)  # the last lines are written behind the answers
    folder = Path(stack.facts["logs"])
    size: Counter[str] = Counter()
    lines, series = 0, set[tuple[str, ...]]()
    reports: dict[str, float] = {}
    invocations = set()
    for file in folder.glob("*Function.log"):
        for text in file.read_text(encoding="utf-8", errors="replace").splitlines():
            if found := _REPORT.match(text):
                reports[found[1]] = float(found[2])
            for kind, line in _line_in(text, window):
                lines += 1
                size[kind] += len(text.encode()) + EVENT_BYTES
                invocations.add(line.get("aws_request_id"))
                series.update(_series(line))
    return Logs(lines, size, [reports[each] for each in invocations if each in reports], series)


def _series(line: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the series that a line of metrics belongs to: each combination of a metric and values of dimensions."""
    for directive in line.get("_aws", {}).get("CloudWatchMetrics", ()):
        for metric in directive["Metrics"]:
            for dimensions in directive["Dimensions"]:
                yield (metric["Name"], *(str(line[name]) for name in dimensions))


def _line_in(text: str, window: Measured) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the kind of a JSON line and its fields, if it was written in the window."""
    if not text.startswith("{"):
        return
    line = json.loads(text)
    if "_aws" in line:
        at, kind = line["_aws"]["Timestamp"] / 1e3, "metrics"
    else:
        at = datetime.strptime(line["timestamp"], "%Y-%m-%d %H:%M:%S,%f%z").timestamp()
        kind = line.get("kind", "other")
    if window.begin <= at <= window.end:
        yield kind, line


def _usage(level: Level, logs: Logs, meters: dict[str, Meter], few: Level, durations: list[float]) -> Usage:
    count, window = len(level.asked), level.window
    operations = meters["table"].operations(window)
    reads = sum(number for name, number in operations.items() if name in _READS)
    paths = [each.name.partition(" ")[2].replace("{id}", "0" * 36) for each in level.asked]
    return Usage(
        wall_ms=durations,
        cpu_ms=cores(few.before, few.after)[FUNCTIONS] / few.rate * 1e3,
        function_log=sum(logs.size.values()) / count,
        access_log=_access_line() + sum(map(len, paths)) / count + EVENT_BYTES,
        audit_copy=logs.size["audit"] / count,
        table_writes=(sum(operations.values()) - reads) / count,
        table_reads=reads / count,
        response=meters["clients"].size(window, answers=True) / count,
        database=meters["database"].size(window, answers=False) / count,
    )


def _template() -> dict[str, Any]:
    return read_template((REPOSITORY / "template.yaml").read_text(encoding="utf-8"))


def _access_line() -> int:
    """Return the length of a line of the access log whose path ends with `/api`."""
    line = _template()["Resources"]["Api"]["Properties"]["AccessLogSettings"]["Format"]
    values = {**_CONTEXT, "httpMethod": "POST", "path": "/api", "status": "200"}
    return len(re.sub(r"\$context\.([\w.]+)", lambda found: values[found[1]], line))


def _cost(level: Level, usage: Usage) -> Row:
    items = bill(usage, prices())
    wall = sum(usage.wall_ms) / len(usage.wall_ms)
    refused = ", ".join(f"{count} with {status}" for status, count in Counter(e.status for e in level.errors).items())
    note = (
        f"{len(level.asked):,} requests of {level.clients} students, {level.rate:.0f} per second, refused: "
        f"{refused or 'none'}. An invocation takes {wall:.1f} ms, of which {usage.cpu_ms:.1f} ms are CPU time; at the "
        f"CPU share of 512 MB {billed_ms(usage, 512):.1f} ms are billed. Without fixed costs."
    )
    ordered = sorted(items.items(), key=lambda item: -item[1])
    return Row(
        "cost of a million requests",
        "at most 2.00 dollars",
        sum(items.values()),
        2.0,
        "dollars",
        [Figure.exact(name, value) for name, value in ordered],
        note=note,
        value_label="all of it",
    )


def _by_parameter(usage: Usage, logs: Logs, count: int) -> Row:
    price = prices()
    quiet = replace(usage, function_log=(logs.size["audit"] + logs.size["metrics"]) / count)
    verbose = replace(usage, function_log=usage.function_log + _PLATFORM_BYTES)
    cases = {
        "as deployed to prod": bill(usage, price),
        "Tracing Active": bill(usage, price, traced=True),
        "SystemLogLevel INFO": bill(verbose, price),
        "LogLevel WARNING": bill(quiet, price),
        **{f"MemorySize {size}": bill(usage, price, memory_mb=size) for size in (256, 1024, 1769)},
    }
    figures = [Figure.exact(name, sum(items.values())) for name, items in cases.items()]
    return Row("cost of a million requests, by parameter", "none made", figures[0].median, None, "dollars", figures)


def _line(logs: Logs, usage: Usage, count: int) -> Row:
    figures = [Figure.exact(f"lines of kind {kind}", size / count) for kind, size in logs.size.most_common()]
    return Row(
        "log of a request",
        "at most 500 bytes",
        usage.function_log - EVENT_BYTES * logs.lines / count,
        500.0,
        "bytes",
        [*figures, Figure.exact("access log", usage.access_log)],
        note=f"By kind, with the {EVENT_BYTES} bytes that CloudWatch adds to each of {logs.lines / count:.2f} lines.",
        value_label="written by the function",
    )


def _fixed(series: set[tuple[str, ...]]) -> Row:
    items = monthly(_template(), prices(), metrics=len(series))
    return Row(
        "cost of a month without requests",
        "none made",
        sum(items.values()),
        None,
        "dollars",
        [Figure.exact(name, value) for name, value in sorted(items.items(), key=lambda item: -item[1])],
        note=f"{len(series)} series of metrics were written under load. Without the database.",
        value_label="all of it",
    )
