"""A load on a running stack, and what was measured of it."""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.drive import Load, driven
from benchmarks.load.record import OK, Asked, Measured, Reader
from benchmarks.load.stack import Stack
from benchmarks.load.usage import Usage, usage

PATIENCE = 120.0  # seconds for the clients to register
CACHED = "GET /gamification/badges"


@dataclass(frozen=True)
class Level:
    """What was measured with so many clients."""

    clients: int
    asked: list[Asked]
    window: Measured
    before: Usage
    after: Usage

    @property
    def seconds(self) -> float:
        """How long it was measured."""
        return self.window.end - self.window.begin

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
        return [each.ms for each in self.asked if (each.name == CACHED) is cached]

    def by_name(self) -> dict[str, list[float]]:
        """Return the milliseconds by endpoint."""
        found: dict[str, list[float]] = {}
        for each in self.asked:
            found.setdefault(each.name, []).append(each.ms)
        return dict(sorted(found.items()))


def measured(stack: Stack, load: Load, folder: Path, url: str = "") -> Level:
    """Let the clients work, and return what was measured once all are warm.

    Args:
        stack: whose processes are measured.
        load: the clients.
        folder: for the record.
        url: what they call, in place of the stack's own address.
    """
    record = folder / f"{load.clients}-{time.monotonic_ns()}.jsonl"
    reader, asked = Reader(record), list[Asked]()
    with driven(load, url or stack.url, record) as locust:
        end = time.monotonic() + load.warm + load.seconds + PATIENCE
        began = None
        while locust.poll() is None and time.monotonic() < end:
            time.sleep(0.5)
            for line in reader.new():
                if isinstance(line, Measured) and line.end == 0:
                    began = usage(stack, locust.pid)
                elif isinstance(line, Measured) and began is not None:
                    kept = [each for each in asked if line.begin <= each.at <= line.end]
                    return Level(load.clients, kept, line, began, usage(stack, locust.pid))
                elif isinstance(line, Asked):
                    asked.append(line)
    raise RuntimeError(_why(record.with_suffix(".locust"), locust))


def _why(output: Path, locust: subprocess.Popen[bytes]) -> str:
    return f"locust ended with {locust.returncode}: {output.read_text(encoding='utf-8', errors='replace')[-2000:]}"
