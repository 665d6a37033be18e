"""The whole local stack, started as a developer starts it, on its own ports.

With E2E_PROJECT=real over the Supabase project that SUPABASE_URL and SUPABASE_SECRET_KEY name, hosted or from
`supabase start`, whose migrations are applied; it is left with the accounts that the tests made.

With E2E_URL against a deployed stack, as a client sees it: what looks behind the gateway is skipped, and says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).parents[2]
START_SECONDS = 120  # on a new machine the first start downloads PostgREST


@dataclass
class Stack:
    """A running `make serve`."""

    process: subprocess.Popen[bytes]
    home: Path

    @property
    def facts(self) -> dict[str, Any]:
        """What the stack reports about itself: url, dsn, environment, logs, pids."""
        found: dict[str, Any] = json.loads((self.home / "run" / "stack.json").read_text(encoding="utf-8"))
        return found

    @property
    def operator_token(self) -> str:
        """The token of the local stack's operator."""
        return (self.home / "data" / "operator-token").read_text(encoding="utf-8")

    def client(self) -> httpx.Client:
        """Return a client of the gateway."""
        return httpx.Client(base_url=self.facts["url"], timeout=30)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Invoke a function as a schedule does."""
        command = [sys.executable, "-m", "local", "invoke", function, json.dumps(event), "--home", str(self.home)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
        return json.loads(done.stdout)

    def stop(self) -> int:
        """Stop it as Ctrl-C does and return the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


class Deployed(Stack):
    """A stack that somebody else runs; only its address is known."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def facts(self) -> dict[str, Any]:
        """Skip the test: a deployed stack has no such facts."""
        pytest.skip("looks behind the gateway, which a deployed stack does not allow")

    @property
    def operator_token(self) -> str:
        """An operator's token, given in `E2E_OPERATOR_TOKEN`; without one the test is skipped."""
        return os.environ.get("E2E_OPERATOR_TOKEN") or pytest.skip("needs E2E_OPERATOR_TOKEN")

    def client(self) -> httpx.Client:
        """Return a client of the address."""
        return httpx.Client(base_url=self._url, timeout=30)

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """Skip the test: schedules of a deployed stack run by themselves."""
        pytest.skip("runs a schedule by hand, which a deployed stack does not allow")


def start_stack(home: Path, output: Path, **variables: str) -> Stack:
    """Start the stack in `home` with these variables, and wait until it answers."""
    # A project that the shell names is used only on request; otherwise the stack starts its own.
    left_out = ("AWS_", "RESILIENCE_", *(() if os.environ.get("E2E_PROJECT") == "real" else ("SUPABASE_",)))
    own = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    environment = {**own, "PYTHONPATH": str(ROOT), "AUTH_RATE_LIMITS": "off", **variables}
    with output.open("wb") as log:
        command = [sys.executable, "-m", "local", "serve", "--port", "0", "--home", str(home)]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    stack, end = Stack(process, home), time.monotonic() + START_SECONDS
    while not (home / "run" / "stack.json").exists():
        assert process.poll() is None, output.read_text(encoding="utf-8", errors="replace")
        assert time.monotonic() < end, output.read_text(encoding="utf-8", errors="replace")
        time.sleep(0.05)
    return stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all end-to-end tests of this process."""
    if url := os.environ.get("E2E_URL"):
        yield Deployed(url)
        return
    home = tmp_path_factory.mktemp("home")
    running = start_stack(home, home.parent / "serve.log")
    yield running
    assert running.stop() == 0
