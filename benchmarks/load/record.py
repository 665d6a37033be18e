"""What the clients write down: every request with its answer, and every write from its beginning, as lines of JSON.

A write has an id of its own. Its `begin` comes before the first attempt, so that what was never acknowledged is known
too; attempts name the write that they are for, and the one that was acknowledged carries what the answer said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OK, REFUSED, GATEWAY, BROKEN, OUTSIDE = "ok", "refused", "gateway", "broken", "outside"
SEEN = {
    OK: "answered",
    REFUSED: "503 with Retry-After, or 429",
    GATEWAY: "500 or 503 of the gateway's own, whose function died or was out of time",
    BROKEN: "no answer",
    OUTSIDE: "anything that the contract does not know",
}


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        at: when its answer had come, as time.time().
        ms: how long that took.
        name: method and path, ids left out.
        seen: one of `SEEN`.
        write: the id of the write that it was an attempt at; None for reads.
        final: whether the write has its answer with this one.
        answer: what the answer said of the write.
        note: why it is outside the contract.
    """

    at: float
    ms: float
    name: str
    status: int
    seen: str
    write: str | None = None
    final: bool = False
    answer: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Began:
    """A write that is going to be attempted: its kind, whose it is, and what it is about."""

    write: str
    kind: str
    user: str
    of: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """All clients are warm: what counts from here, and until when; 0: not known yet."""

    begin: float
    end: float


Line = Asked | Began | Measured
_KINDS: dict[str, type[Asked | Began | Measured]] = {"asked": Asked, "began": Began, "measured": Measured}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(line: Line) -> str:
    """Return a line of the record."""
    return json.dumps([_NAMES[type(line)], line.__dict__], separators=(",", ":")) + "\n"


def decode(text: str) -> Line:
    """Return what `encode` was given."""
    name, values = json.loads(text)
    return _KINDS[name](**values)


class Recorder:
    """Appends to a record; each line is with the kernel before the next request is sent."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, line: Line) -> None:
        """Append a line."""
        self._file.write(encode(line))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Reader:
    """Reads a record while it is being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[Line]:
        """Yield the lines that came since the last call; half a line waits for its end."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        for text in whole.splitlines():
            yield decode(text.decode())
