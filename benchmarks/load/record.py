"""The clients' record, as lines of JSON: every request with its answer, and every write from its start.

Each write has its own id. It is recorded as begun before the first attempt, so writes that were never acknowledged are
known too. Each attempt names its write, and the one that settles it carries data from the answer.
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
        at: when the answer arrived, as a Unix time in seconds.
        ms: response time in milliseconds.
        name: method and path, with placeholders for ids.
        status: HTTP status; 0 without an answer.
        seen: class of the answer, a key of `SEEN`.
        write: the id of the write it attempted; None for other requests.
        final: whether it settled the write.
        answer: the fields of the answer that are kept, or the error code under `refused`.
        note: what went wrong, without an answer or with one outside the contract.
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
    """A write about to be attempted: its id, its kind, the user's id, and the data that identifies it."""

    write: str
    kind: str
    user: str
    of: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """The measured window after the warm-up, as Unix times in seconds; `end` is 0 until it is over."""

    begin: float
    end: float


Line = Asked | Began | Measured
_KINDS: dict[str, type[Asked | Began | Measured]] = {"asked": Asked, "began": Began, "measured": Measured}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def encode(line: Line) -> str:
    """Encode a line of the record, including its newline."""
    return json.dumps([_NAMES[type(line)], line.__dict__], separators=(",", ":")) + "\n"


def decode(text: str) -> Line:
    """Decode a line of the record."""
    name, values = json.loads(text)
    return _KINDS[name](**values)


class Recorder:
    """Writer of a record; line buffering hands each line to the kernel before the next request is sent."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)

    def write(self, line: Line) -> None:
        """Append a line."""
        self._file.write(encode(line))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Reader:
    """Reader of a record that is still being written."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def new(self) -> Iterator[Line]:
        """Yield the lines added since the last call; an incomplete line is left for the next one."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            whole, end, _ = file.read().rpartition(b"\n")
        self._offset += len(whole) + len(end)
        for text in whole.splitlines():
            yield decode(text.decode())
