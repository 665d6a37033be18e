"""Run Locust in a separate process, because it monkey-patches sockets and threads of the process it is loaded into."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local.stack_directory import REPOSITORY

SCENARIO = Path(__file__).with_name("scenario.py")
_PATIENCE = 60.0  # seconds for clients to finish what they began


@dataclass(frozen=True)
class Load:
    """The number of clients and their behaviour.

    Attributes:
        clients: number of concurrent clients.
        warm: warm-up in seconds, counted from when all clients have registered.
        seconds: how long to measure after the warm-up; 0 runs until stopped.
        pause: mean pause in seconds between two activities of a client.
        persistence: how long, in seconds, a client retries an unacknowledged write.
        repeats: share of acknowledged writes that are sent again, from 0 to 1.
    """

    clients: int
    warm: float = 0.0
    seconds: float = 0.0
    pause: float = 0.0
    persistence: float = 0.0
    repeats: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables for the scenario."""
        return {f"LOAD_{name.upper()}": str(value) for name, value in self.__dict__.items()}


@contextmanager
def driven(load: Load, url: str, record: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the clients for the duration of the block; afterwards let them finish what they began."""
    process = _start(load, url, record)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _start(load: Load, url: str, record: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "locust", "--headless", "--json", "--skip-log", "-f", str(SCENARIO), "-H", url]
    command += ["-u", str(load.clients), "-r", str(load.clients), "--stop-timeout", str(int(_PATIENCE / 2))]
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment: Mapping[str, str] = {
        **os.environ,
        **load.environment,
        "LOAD_RECORD": str(record),
        "PYTHONPATH": path,
        "GEVENT_SUPPORT": "True",
    }
    with record.with_suffix(".locust").open("wb") as output:
        return subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=output, stderr=subprocess.STDOUT)
