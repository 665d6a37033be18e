"""Save the results as JSON, and render them as a terminal table and as docs/benchmarks.md with its plots."""

from __future__ import annotations

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from benchmarks.harness import Row
from benchmarks.plots import Plot, write_plots
from benchmarks.rows import NAMES

RESULTS = Path(__file__).with_name("results.json")
REPORT = Path(__file__).parents[1] / "docs" / "benchmarks.md"
_HEAD = """# Benchmarks

`make bench` generates this page from `benchmarks/results.json`; do not edit it by hand. `make bench ONLY=leaderboard`
runs a single benchmark. `python -m benchmarks --report` regenerates page and plots from the existing results.

Each promise is shown next to its peer or baseline. Both are measured alternately in the same run, so disturbances
affect both: trust the ratios more than the absolute numbers. A missed promise is shown as missed.

"""


def save(name: str, rows: list[Row], seconds: float) -> None:
    """Write a benchmark's rows to the results file, replacing those of its previous run."""
    results = _results()
    results[name] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 1),
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()}",
        "load_average": [round(number, 2) for number in os.getloadavg()],
        "rows": [row.as_dict() for row in rows],
    }
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def result_table(rows: list[Row]) -> Table:
    """Return the rows as a table for the terminal."""
    table = Table(title="Promises")
    for heading in ("what", "promise", "measured", ""):
        table.add_column(heading)
    for row in rows:
        mark = {True: "[green]kept[/]", False: "[red]MISSED[/]", None: ""}[row.kept]
        table.add_row(row.name, row.promise, _number(row.value, row.as_dict()["value_unit"]), mark)
    return table


def write_report() -> None:
    """Write docs/benchmarks.md and its plots from the results file."""
    results = _results()
    names = [name for name in NAMES if name in results]
    parts = [_HEAD, _overview([(name, row) for name in names for row in results[name]["rows"]])]
    plots = write_plots(results)
    parts += [_section(name, results[name], plots) if name in results else _missing(name) for name in NAMES]
    REPORT.write_text("".join(parts), encoding="utf-8")


def _results() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    return found


def _overview(rows: list[tuple[str, dict[str, Any]]]) -> str:
    lines = ["| what | promise | measured | |", "|---|---|---|---|"]
    for _, row in rows:
        mark = {True: "kept", False: "**missed**", None: ""}[row["kept"]]
        value = _number(row["value"], row.get("value_unit", row["unit"])) + (
            f" ({row['value_label']})" if row["value_label"] else ""
        )
        lines.append(f"| {row['name']} | {row['promise']} | {value} | {mark} |")
    return "\n".join(lines) + "\n"


def _missing(name: str) -> str:
    return f"\n## {name}\n\nNot measured yet.\n"


def _section(name: str, result: dict[str, Any], plots: dict[str, Plot]) -> str:
    load = result["load_average"][0]
    lines = [f"\n## {name}", "", f"{result['at']}, {result['machine']}, load average {load} at the end.", ""]
    for row in result["rows"]:
        lines += [f"### {row['name']}", "", *([f"Promise: {row['promise']}.", ""] if row["promise"] else [])]
        if plot := plots.get(row["name"]):
            lines += [f"![{plot.alt}](plots/{plot.name}.svg)", ""]
        lines += ["| | median | middle 90 % | samples |", "|---|---:|---:|---:|"]
        lines += [_figure(figure, row["unit"]) for figure in row["figures"]]
        lines += ["", *([row["note"], ""] if row["note"] else [])]
    return "\n".join(lines)


def _figure(figure: dict[str, Any], unit: str) -> str:
    spread = ""
    if figure["samples"] > 1:
        spread = f"{_number(figure['low'], unit)} to {_number(figure['high'], unit)}"
    return f"| {figure['label']} | {_number(figure['median'], unit)} | {spread} | {figure['samples']:,} |"


def _number(value: float, unit: str) -> str:
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.3g}"
    return f"{text} {unit}".strip()
