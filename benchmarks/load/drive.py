"""Locust in a process of its own: it replaces sockets and threads of whatever process it is loaded into."""

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
_PATIENCE = 60.0  # seconds for clients to end what they have begun


@dataclass(frozen=True)
class Load:
    """How many clients, and how they behave.

    Attributes:
        clients: at once.
        warm, seconds: measured for `seconds` after `warm` seconds with all clients; 0: until it is told to stop.
        pause: seconds on average between two activities of a client.
        persistence: seconds for which a write that was not acknowledged is repeated.
        repeats: share of the acknowledged writes that are sent again.
    """

    clients: int
    warm: float = 0.0
    seconds: float = 0.0
    pause: float = 0.0
    persistence: float = 0.0
    repeats: float = 0.0

    @property
    def environment(self) -> dict[str, str]:
        """What the scenario reads."""
        return {f"LOAD_{name.upper()}": str(value) for name, value in self.__dict__.items()}


@contextmanager
def driven(load: Load, url: str, record: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run the clients for the length of the block; afterwards they end what they have begun."""
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
