"""Runs the AWS emulator ministack for as long as somebody needs it."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

PROGRAM = Path(__file__).parents[1] / ".venv-emulator" / "bin" / "ministack"


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_emulator(log: Path, settings: Mapping[str, str], program: Path = PROGRAM) -> Iterator[str]:
    """Yield the emulator's URL; if the block fails, print the end of its log.

    Args:
        log: where it writes.
        settings: its environment variables, in addition to this process's.
        program: the installed emulator (`make .venv-emulator/emulator.stamp`).
    """
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    environment |= {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", **settings}
    url = f"http://127.0.0.1:{port}"
    with log.open("w") as written:
        process = subprocess.Popen([program], env=environment, stdout=written, stderr=subprocess.STDOUT)
    try:
        _wait_for(f"{url}/_ministack/health")
        yield url
    except BaseException:
        print(log.read_text(encoding="utf-8")[-20000:])
        raise
    finally:
        process.terminate()
        process.wait(20)


def _wait_for(url: str) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            httpx.get(url, timeout=5, trust_env=False)
        except httpx.TransportError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return
