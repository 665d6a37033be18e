"""Finding the stack that runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from local.errors import StackError
from local.home import Home, default_home


@dataclass(frozen=True)
class RunningStack:
    """Where a running stack answers, and its database as a superuser."""

    url: str
    dsn: str


def running_stack(home: Path | None = None) -> RunningStack:
    """Return what runs on a home, by default `STUDYSYNC_HOME`.

    Raises:
        StackError: nothing runs there, or what runs has its database elsewhere.
    """
    record = Home(home or default_home()).run / "stack.json"
    try:
        stack = json.loads(record.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise StackError("Nothing is running here: start the stack with `make serve`, then try again.") from None
    if not stack["dsn"]:
        raise StackError("The stack uses a real Supabase project; the demo fills a local database only.")
    return RunningStack(stack["url"], stack["dsn"])
