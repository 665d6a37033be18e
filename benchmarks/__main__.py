"""`python -m benchmarks [NAME...]`: run benchmarks, save the results and write the report."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import time
import traceback
from contextlib import redirect_stdout
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.harness import Row, stage
from benchmarks.report import result_table, save, write_report
from benchmarks.rows import NAMES


def main() -> int:
    """Run the requested benchmarks; return 1 if a promise is missed or a benchmark failed."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all without")
    parser.add_argument("--report", action="store_true", help="measure nothing: write page and plots from the results")
    asked = parser.parse_args()
    if asked.report:
        write_report()
        return 0
    names = asked.names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    console = Console(highlight=False, stderr=True)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):  # the functions' log
        rows, failed = _run(console, names)
    write_report()
    console.print(result_table(rows))
    return 1 if failed or any(row.kept is False for row in rows) else 0


def _run(console: Console, names: list[str]) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    failed: list[str] = []
    columns = (TextColumn("{task.description:<60}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for name in names:
            began = time.monotonic()
            try:
                with stage(progress) as here:
                    found: list[Row] = importlib.import_module(f"benchmarks.rows.{name}").run(here)
            except Exception:  # noqa: BLE001 - the others still run, and the exit code reports it
                console.print(traceback.format_exc(), markup=False)
                failed.append(name)
                continue
            save(name, found, time.monotonic() - began)
            rows += found
    return rows, failed


if __name__ == "__main__":
    sys.exit(main())
