"""Run a student in a separate process alongside the attacks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from local.stack_directory import REPOSITORY


@contextmanager
def bystander(url: str) -> Iterator[dict[str, Any]]:
    """Run a student for the duration of the block; afterwards the yielded dictionary holds its results."""
    command = [sys.executable, "-m", "benchmarks.attacks.bystander", url]
    found: dict[str, Any] = {}
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as student:
        assert student.stdin is not None
        assert student.stdout is not None
        if student.stdout.readline() != "working\n":
            raise RuntimeError("the student could not begin to work")
        try:
            yield found
        finally:
            student.stdin.close()
            found.update(json.loads(student.stdout.readline() or "{}"))
