"""Finds the running stack."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from local.errors import StackError
from local.home import Home, default_home


@dataclass(frozen=True)
class RunningStack:
    """The URL of a running stack, and its database as a superuser."""

    url: str
    dsn: str


def running_stack(home: Path | None = None) -> RunningStack:
    """Return the stack running on a home, by default `STUDYSYNC_HOME`.

    Raises:
        StackError: no stack is running there, or its database is elsewhere.
    """
    record = Home(home or default_home()).run / "stack.json"
    try:
        stack = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StackError("No stack is running: start the stack with `make serve`, then try again.") from None
    if not stack["dsn"]:
        raise StackError("The stack uses a real Supabase project; the demo fills a local database only.")
    return RunningStack(stack["url"], stack["dsn"])
