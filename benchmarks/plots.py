"""The plots of docs/benchmarks.md, drawn from the results file. A benchmark without results has no plot."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.charts import Bars, Lines, write

FOLDER = Path(__file__).parents[1] / "docs" / "plots"
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Plot:
    """A plot in the report.

    Attributes:
        benchmark: name of the benchmark whose rows it is drawn from.
        row: name of the row under whose heading it appears.
        name: file name, without the extension.
        alt: alternative text.
        chart: builds the chart from the rows by name; raises KeyError if a row it needs is missing.
    """

    benchmark: str
    row: str
    name: str
    alt: str
    chart: Callable[[Rows], Bars | Lines]


def charts(results: dict[str, Any]) -> Iterator[tuple[Plot, Bars | Lines]]:
    """Yield each plot that the results allow, with its chart."""
    for plot in PLOTS:
        rows = {row["name"]: row for row in results.get(plot.benchmark, {}).get("rows", ())}
        with suppress(KeyError):  # the results predate this plot
            yield plot, plot.chart(rows)


def write_plots(results: dict[str, Any]) -> dict[str, Plot]:
    """Write every plot that can be drawn, and return the plots by row name."""
    FOLDER.mkdir(exist_ok=True)
    found = list(charts(results))
    for plot, chart in found:
        write(chart, FOLDER / f"{plot.name}.svg")
    return {plot.row: plot for plot, _ in found}


def _medians(row: dict[str, Any]) -> dict[str, float]:
    return {figure["label"]: figure["median"] for figure in row["figures"]}


def _numbered(row: dict[str, Any], pattern: str) -> Iterator[tuple[float, float]]:
    """Yield (x, median) for each figure whose label matches `pattern`; x is the number captured by its first group."""
    for label, median in _medians(row).items():
        if match := re.fullmatch(pattern, label):
            yield float(match[1].replace(",", "")), median


def _board(rows: Rows) -> Bars | Lines:
    found = {
        **_medians(rows["leaderboard page of 50 at 1,000,000 users"]),
        **_medians(rows["exact rank at 1,000,000 users"]),
    }
    title = "Leaderboards at 1,000,000 users, median milliseconds (logarithmic)"
    return Bars(title, {label: [value] for label, value in found.items()}, "ms", ["median"], log=True)


def _batch(rows: Rows) -> Bars | Lines:
    points = list(
        _numbered(rows["growth of a batch's duration from 10 to 500 events"], r"([\d,]+) events in one request")
    )
    one = _medians(rows["sync of 500 events"])["500 events, one request each"] / 500
    by_one = [(count, count * one) for count, _ in points]
    return Lines(
        "Milliseconds for a batch of offline events", "events", {"in one request": points, "one request each": by_one}
    )


def _closed(rows: Rows) -> Bars | Lines:
    plain, later = (_medians(rows[f"closed breaker, {kind} function"]) for kind in ("plain", "async"))
    found = {
        f"{name}, {kind}": [value]
        for kind, each in (("plain", plain), ("async", later))
        for name, value in each.items()
    }
    return Bars("Median microseconds of a call through a closed breaker", found, "us", ["median"])


def _outage(rows: Rows) -> Bars | Lines:
    series = rows["calls that reach a dependency during its outage"]["series"]
    title = "Calls that reach a dependency, per 10 seconds"
    return Lines(title, "seconds since the outage began", series, shade=(0, 180, "down"))


def _load(rows: Rows) -> Bars | Lines:
    row = rows["API under load, latency"]
    series = {f"p{share}": list(_numbered(row, rf"([\d,]+) clients, p{share} of all")) for share in (50, 95, 99)}
    return Lines("Response time in milliseconds, by concurrent clients", "clients", series)


def _rate(rows: Rows) -> Bars | Lines:
    points = list(_numbered(rows["API under load, throughput"], r"([\d,]+) clients"))
    return Lines("Responses per second, by concurrent clients", "clients", {"responses per second": points})


def _spent(rows: Rows) -> Bars | Lines:
    most = max(count for count, _ in _numbered(rows["API under load, throughput"], r"([\d,]+) clients"))
    start = f"{most:.0f} clients, "
    spent = _medians(rows["API under load, CPU per request"])
    found = {label.removeprefix(start): [value] for label, value in spent.items() if label.startswith(start)}
    return Bars(f"CPU milliseconds per request at {most:.0f} clients, by component", found, "ms", ["CPU"])


def _cold(rows: Rows) -> Bars | Lines:
    whole = _medians(rows["cold start, time to the first response"])
    imports = _medians(rows["cold start, import time"])
    found = {label: [imports[label], whole[label] - imports[label]] for label in whole}
    return Bars("Cold start, milliseconds to the first response", found, "ms", ["importing", "first request"])


def _live(rows: Rows) -> Bars | Lines:
    found = _medians(rows["a real warm request, CPU"])
    names = list(dict.fromkeys(label.partition(": ")[0] for label in found))
    sides = list(dict.fromkeys(label.partition(": ")[2] for label in found))
    own = {
        f"{name}: {side}": [found[f"{name}: floor"], found[f"{name}: {side}"] - found[f"{name}: floor"]]
        for name in names
        for side in sides
        if side != "floor"
    }
    return Bars("A real warm request, milliseconds of CPU", own, "ms", ["the call to PostgREST", "everything else"])


PLOTS = (
    Plot(
        "leaderboard",
        "leaderboard page of 50 at 1,000,000 users",
        "leaderboard",
        "Bars: a page and a rank take a few milliseconds, plain ranking takes hundreds to thousands.",
        _board,
    ),
    Plot(
        "sync",
        "growth of a batch's duration from 10 to 500 events",
        "sync",
        "Lines: a batch's duration grows slowly with its events; with one request each, it grows ten times as fast.",
        _batch,
    ),
    Plot(
        "breaker",
        "closed breaker, plain function",
        "breaker-closed",
        "Bars: microseconds per call, by breaker.",
        _closed,
    ),
    Plot(
        "breaker",
        "calls that reach a dependency during its outage",
        "breaker-outage",
        "Lines: calls that reach a dependency before, during and after an outage, by breaker and kind of outage.",
        _outage,
    ),
    Plot("load", "API under load, throughput", "load-rate", "Line: responses per second from 1 to 100 clients.", _rate),
    Plot("load", "API under load, latency", "load-latency", "Lines: p50, p95 and p99 from 1 to 100 clients.", _load),
    Plot(
        "load",
        "API under load, CPU per request",
        "load-cpu",
        "Bars: CPU per request, by component of the stack.",
        _spent,
    ),
    Plot(
        "cold_start",
        "cold start, CPU",
        "cold-start",
        "Bars: milliseconds of imports and of the first request, ours and the peer's, by function.",
        _cold,
    ),
    Plot(
        "live",
        "a real warm request, CPU",
        "live",
        "Bars: of a request's CPU, the bare call to PostgREST and everything else, ours and the peer's.",
        _live,
    ),
)
