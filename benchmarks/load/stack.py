"""Run the local stack as a process, with its own home folder and port."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import psycopg

from local.stack_directory import REPOSITORY, free_port

_PATIENCE = 120.0  # seconds; the first start of a machine downloads PostgREST
_FOREIGN = ("SUPABASE_", "AWS_", "RESILIENCE_")


@dataclass(frozen=True)
class Stack:
    """A running stack.

    Attributes:
        process: the process that serves it.
        home: its home folder.
        facts: its own description (run/stack.json): url, control, dsn, environment, logs.
    """

    process: subprocess.Popen[bytes]
    home: Path
    facts: dict[str, Any]

    @property
    def url(self) -> str:
        """Base URL of the API."""
        return str(self.facts["url"])

    def functions(self) -> dict[str, list[int]]:
        """Return the process ids by function name."""
        with urlopen(f"{self.facts['control']}/functions", timeout=10) as answer:
            found: dict[str, list[int]] = json.load(answer)
        return found

    def part(self, name: str) -> psutil.Process | None:
        """Return the process of a part, such as `postgrest`; None if it is not running."""
        try:
            pid = json.loads((self.home / "run" / f"{name}.pid.json").read_text(encoding="utf-8"))["pid"]
            process = psutil.Process(pid)
            return process if process.status() != psutil.STATUS_ZOMBIE else None
        except (OSError, ValueError, psutil.NoSuchProcess):
            return None


@contextmanager
def running(
    home: Path,
    *,
    module: tuple[str, ...] = ("local", "serve"),
    more: Mapping[str, str] | None = None,
    new_accounts: bool = False,
) -> Iterator[Stack]:
    """Run a stack for the duration of the block.

    Args:
        home: its home folder, created if missing.
        module: module and arguments for `python -m`.
        more: additional environment variables.
        new_accounts: whether accounts keep their real creation time; otherwise they are dated 2020-01-01, so that they
            can sync sessions from past days.
    """
    own = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    own |= {"AUTH_RATE_LIMITS": "off", "STUDYSYNC_HOME": str(home), "PORT": str(free_port())}
    environment = {**own, **(more or {})}
    home.mkdir(parents=True, exist_ok=True)
    log = home / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *module], env=environment, cwd=REPOSITORY, stdout=output, stderr=output
        )
    try:
        stack = Stack(process, home, _facts(home / "run" / "stack.json", process, log))
        if not new_accounts:
            with psycopg.connect(stack.facts["dsn"]) as connection:
                connection.execute("alter table profiles alter created_at set default '2020-01-01'")
        yield stack
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _facts(record: Path, process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    end = time.monotonic() + _PATIENCE
    while not record.exists():
        if process.poll() is not None or time.monotonic() > end:
            raise RuntimeError(f"the stack did not start: {log.read_text(encoding='utf-8', errors='replace')}")
        time.sleep(0.05)
    facts: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return facts
