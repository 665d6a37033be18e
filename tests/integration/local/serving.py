"""`make serve` in a process of its own, started and stopped by tests."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from local.stack_directory import REPOSITORY, StackDirectory
from local.unprivileged import remove_data
from testing.waiting import wait_until

# What another test of this process may have set for its own stack.
FOREIGN = (
    "SUPABASE_",
    "AWS_",
    "RESILIENCE_TABLE",
    "STUDYSYNC_HOME",
    "PORT",
    "OPERATOR_TOKENS",
    "NO_PROXY",
    "no_proxy",
)


class Served:
    """A stack in a process of its own, over the sample project."""

    def __init__(
        self,
        root: Path,
        template: Path,
        port: int,
        *,
        command: Sequence[str] = (),
        python: str = sys.executable,
        user: int | None = None,
        umask: int = -1,
        **more: str,
    ) -> None:
        self.home, self.port = root, port
        environment = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        self.output = (root.parent / f"{root.name}-{port}.out").open("w+")
        self.process = subprocess.Popen(
            [python, *(command or ("-m", "local", "serve", "--template", str(template)))],
            cwd=REPOSITORY,
            env={**environment, "PORT": str(port), "STUDYSYNC_HOME": str(root), **more},
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            umask=umask,
            stdout=self.output,
            stderr=subprocess.STDOUT,
        )

    def ready(self) -> dict[str, Any]:
        """Wait until it serves; returns what it wrote about itself."""
        path = self.home / "run" / "stack.json"
        stack: dict[str, Any] = {}

        def is_there() -> bool:
            assert self.process.poll() is None, self.said()
            if path.exists():
                stack.update(json.loads(path.read_text()))
            return bool(stack) and stack["pids"]["stack"] == self.process.pid

        wait_until(is_there)
        return stack

    def family(self) -> list[psutil.Process]:
        """Every descendant process."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def said(self) -> str:
        """What it printed."""
        self.output.flush()
        return Path(self.output.name).read_text()

    def end(self) -> None:
        """Stop it if it is still running."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        self.output.close()
        remove_data(StackDirectory(self.home))  # which may be outside the temporary folder


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of the processes is running any more."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)
