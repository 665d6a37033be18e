"""`python -m benchmarks.chaos [PART...]`: inject faults one after another under load.

Without arguments it injects all faults; otherwise those whose description contains one of the arguments. A full run
takes about five minutes. It stops what it started, and touches only its own processes, on 127.0.0.1. The exit status is
1 if a write was lost or doubled, an invariant was violated, an answer broke the contract, or a fault did not settle.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.chaos.faults import FAULTS, Fault
from benchmarks.chaos.report import Final, result_line, save, write_report
from benchmarks.chaos.run import Result, compare, run_fault
from benchmarks.chaos.site import Site, site
from benchmarks.chaos.watch import Watch
from benchmarks.load.drive import Load, driven

LOAD = Load(clients=10, pause=0.1, persistence=90.0, repeats=0.1)
_WARM, _WARM_LONGEST, _STEADY = 8.0, 45.0, 4.0  # seconds
_SLOW_MS = 1000.0  # slower answers are taken for cold starts
_LONGEST = 540.0  # seconds after which no further fault is injected


def main() -> int:
    """Run the chosen faults; return the exit status. Only a full run writes the results and the report."""
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="PART", help="of the names of faults; all without")
    parser.add_argument(
        "--home", type=Path, help="a folder to leave record, logs and data in; without, they are deleted"
    )
    options = parser.parse_args()
    names = [name.lower() for name in options.names]
    chosen = [fault for fault in FAULTS if not names or any(name in fault.name.lower() for name in names)]
    console = Console(highlight=False, stderr=True)
    with nullcontext(options.home) if options.home else TemporaryDirectory(prefix="studysync-chaos-") as folder:
        results, final = _run(chosen, Path(folder).resolve(), console)
    if not names:
        save(results, final, LOAD)
        write_report()
    console.print(final.line())
    return 1 if final.bad or any(result.bad for result in results) else 0


def _run(chosen: list[Fault], folder: Path, console: Console) -> tuple[list[Result], Final]:
    began = time.monotonic()
    record = folder / "record.jsonl"
    results = []
    with site(folder) as here:
        with _clients(here, record) as watch:
            for number, fault in enumerate(chosen, 1):
                if time.monotonic() - began > _LONGEST:
                    console.print(f"out of time: {len(chosen) - number + 1} faults left out")
                    break
                with console.status(f"{number} of {len(chosen)}: {fault.name}"):
                    result = run_fault(fault, here, watch)
                results.append(result)
                console.print(result_line(result))
        # Every client has finished what it began, so this comparison is exact.
        verdict, violations = compare(watch, here.stack.facts["dsn"])
        final = Final.of(watch, verdict, violations, time.monotonic() - began)
    return results, final


@contextmanager
def _clients(here: Site, record: Path) -> Iterator[Watch]:
    with driven(LOAD, here.stack.url, record):
        watch = Watch(record, Path(here.stack.facts["logs"]))
        _warm_up(watch)
        yield watch


def _warm_up(watch: Watch) -> None:
    """Wait until cold starts are over: until all answers have been fast for `_STEADY` seconds."""
    began = time.time()
    while time.time() - began < _WARM_LONGEST:
        time.sleep(0.2)
        watch.look()
        recent = watch.since(time.time() - _STEADY)
        slow = [each for each in recent if each.ms > _SLOW_MS]
        if time.time() - began > _WARM and len(recent) > _STEADY * LOAD.clients and not slow:
            return


if __name__ == "__main__":
    sys.exit(main())
