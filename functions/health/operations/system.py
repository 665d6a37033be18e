"""The machine of a function: its memory, disk and processors."""

from __future__ import annotations

import os
import time

import psutil

_MEGABYTE = 1024 * 1024
_measured = {"at": time.monotonic(), "percent": 0.0}


psutil.cpu_percent(interval=None)  # the first result is meaningless


def memory() -> dict[str, float]:
    """Return memory usage: of the function's memory on Lambda, of the machine's elsewhere."""
    used = psutil.Process().memory_info().rss / _MEGABYTE
    # The local stack sets the function's size, but does not enforce it.
    local = "AWS_SAM_LOCAL" in os.environ or "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" not in os.environ
    if local:
        machine = psutil.virtual_memory()
        return {"used_mb": round(used, 1), "total_mb": round(machine.total / _MEGABYTE, 1), "percent": machine.percent}
    total = float(os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"])
    return {"used_mb": round(used, 1), "total_mb": total, "percent": round(100 * used / total, 1)}


def disk() -> dict[str, float]:
    """Return the use of the disk that code may write to."""
    usage = psutil.disk_usage("/tmp")  # noqa: S108 - the one place that Lambda lets write
    return {
        "used_mb": round(usage.used / _MEGABYTE, 1),
        "total_mb": round(usage.total / _MEGABYTE, 1),
        "percent": usage.percent,
    }


def cpu() -> dict[str, float]:
    """Return the processors' use since the last call, at least a second ago; None the first time."""
    now = time.monotonic()
    if now - _measured["at"] >= 1:
        _measured.update(at=now, percent=psutil.cpu_percent(interval=None))
    return {"percent": _measured["percent"], "count": psutil.cpu_count() or 1}


def usage() -> dict[str, dict[str, float]]:
    """Return memory, disk and CPU in numbers."""
    return {"memory": memory(), "disk": disk(), "cpu": cpu()}


def uptime_seconds() -> float:
    """Return how long this process has been running."""
    return round(time.time() - float(psutil.Process().create_time()), 1)
