"""Restores a function from a simulated snapshot in a process of its own; records what its first requests load and open.

Run as a program, which needs only the function's own packages, it takes a function's name, reads a JSON list of
``[method, path template, event]`` from standard input, and writes one line of JSON for the restore and one for each
event whose route the function has, or whose template is empty.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
Request = tuple[str, str, Mapping[str, Any]]


@dataclass(frozen=True)
class Step:
    """What one step did.

    Attributes:
        name: ``restore``, or a request's method and path template.
        status: The response's HTTP status; 0 for the restore.
        modules: Names of the modules that were imported, sorted.
        files: Paths that were opened, without those in /dev and /proc.
        cpu: Seconds of CPU time of the process.
        wall: Elapsed seconds.
    """

    name: str
    status: int
    modules: list[str]
    files: list[str]
    cpu: float
    wall: float


def restored(
    function: str,
    requests: Sequence[Request],
    environment: Mapping[str, str],
    *,
    python: str | None = None,
    before: Callable[[], object] | None = None,
) -> list[Step]:
    """Import a function, run its snapshot and restore hooks, and send it those of the requests that it has a route for.

    Args:
        function: The function's name, such as ``users``.
        requests: (method, path template, event), in the order in which they are sent.
        environment: Environment variables on top of those that Lambda sets.
        python: Path of an interpreter, which then sees only the packages on PYTHONPATH; None takes this one with its
            own packages.
        before: Called first in the new process.

    Returns:
        The restore, and then each request.

    Raises:
        RuntimeError: The process failed; has the end of its standard error.
    """
    own = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(str(ROOT / each) for each in ("functions", "layers/core", "layers/resilience")),
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "LAMBDA_TASK_ROOT": str(ROOT),
        "POWERTOOLS_METRICS_NAMESPACE": "Restored",
        "POWERTOOLS_SERVICE_NAME": function,
        "RATE_LIMIT_PER_HOUR": "10000000",
        "RATE_LIMIT_PER_MINUTE": "1000000",
        "STAGE": "prod",
        "_HANDLER": f"{function}.app.handler",
    }
    done = subprocess.run(
        [*([python, "-S"] if python else [sys.executable]), "-P", __file__, function],
        input=json.dumps(requests),
        env=own | dict(environment) | {"AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start"},
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return [Step(**json.loads(line)) for line in done.stdout.splitlines() if line.startswith('{"name"')]


class _Context:
    function_name = "restored"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:restored"
    aws_request_id = "00000000-0000-0000-0000-000000000000"

    @staticmethod
    def get_remaining_time_in_millis() -> int:
        return 15_000


_opened: list[str] = []


@contextmanager
def _step(name: str) -> Iterator[list[int]]:
    """Write a `Step` for the block, which appends the status to the yielded list."""
    before, status = set(sys.modules), [0]
    _opened.clear()
    wall, cpu = time.perf_counter(), time.process_time()
    yield status
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    # Devices, such as the source of randomness, are not files on a disk.
    files = [each for each in _opened if not each.startswith(("/dev/", "/proc/"))]
    found = Step(name, status[-1], sorted(set(sys.modules) - before), files, cpu, wall)
    sys.stdout.write("\n" + json.dumps(vars(found)) + "\n")
    sys.stdout.flush()


def _main(function: str) -> None:
    import snapshot_restore_py

    requests = json.load(sys.stdin)
    module = importlib.import_module(f"{function}.app")
    for work, arguments, options in snapshot_restore_py.get_before_snapshot():
        work(*arguments, **options)
    sys.addaudithook(lambda event, arguments: _opened.append(str(arguments[0])) if event == "open" else None)
    with _step("restore"):
        for work, arguments, options in snapshot_restore_py.get_after_restore():
            work(*arguments, **options)
    routes = {(method, route.path) for route in module.app.routes for method in getattr(route, "methods", None) or ()}
    for method, path, event in requests:
        if not path or (method, path) in routes:
            with _step(f"{method} {path}") as status:
                status.append(module.handler(event, _Context())["statusCode"])


if __name__ == "__main__":
    _main(sys.argv[1])
