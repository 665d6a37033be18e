"""What the processes of a stack use: CPU time and memory, by what they are."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

import psutil

from benchmarks.load.stack import Stack

_PARTS = {"PostgREST": "postgrest", "PostgreSQL": "postgres", "auth": "auth", "DynamoDB": "dynamodb"}
GATEWAY, FUNCTIONS, CLIENTS = "gateway", "functions", "clients (locust)"


@dataclass(frozen=True)
class Usage:
    """One moment: CPU seconds so far, by group and pid, and megabytes now, by group.

    A group's processes share memory, which is counted once.
    """

    at: float
    cpu: dict[str, dict[int, float]]
    memory: dict[str, float]
    processes: dict[str, int]


def usage(stack: Stack, clients: int) -> Usage:
    """Measure now. `clients` is locust's pid."""
    cpu: dict[str, dict[int, float]] = defaultdict(dict)
    memory: dict[str, float] = defaultdict(float)
    count: dict[str, int] = defaultdict(int)
    for group, process in _processes(stack, clients):
        with suppress(psutil.Error):
            times = process.cpu_times()
            cpu[group][process.pid] = times.user + times.system
            memory[group] += _megabytes(process)
            count[group] += 1
    return Usage(time.time(), dict(cpu), dict(memory), dict(count))


def _processes(stack: Stack, clients: int) -> list[tuple[str, psutil.Process]]:
    found = [(GATEWAY, psutil.Process(stack.process.pid))]
    with suppress(psutil.Error):
        found += [(CLIENTS, psutil.Process(clients))]
    for pids in stack.functions().values():
        for pid in pids:
            with suppress(psutil.Error):
                found.append((FUNCTIONS, psutil.Process(pid)))
    for group, name in _PARTS.items():
        if (part := stack.part(name)) is not None:
            found += [(group, each) for each in (part, *part.children(recursive=True))]
    return found


def _megabytes(process: psutil.Process) -> float:
    """Its proportional share of shared pages included, where the kernel tells it."""
    whole = process.memory_full_info()
    size: int = getattr(whole, "pss", 0) or whole.rss
    return size / 1e6


def cores(before: Usage, after: Usage) -> dict[str, float]:
    """Return how many cores each group kept busy between two moments, without what started or ended in between."""
    seconds = after.at - before.at
    busy = {}
    for group, processes in after.cpu.items():
        earlier = before.cpu.get(group, {})
        busy[group] = sum(used - earlier[pid] for pid, used in processes.items() if pid in earlier) / seconds
    return busy
