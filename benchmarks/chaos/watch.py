"""What is seen while a fault lasts: the clients' record, and the circuits that opened."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from benchmarks.chaos.ledger import Ledger
from benchmarks.load.record import OK, Asked, Reader

_OPENED = '"BreakerOpened"'


class Watch:
    """Reads the clients' record and the functions' logs as they grow."""

    def __init__(self, record: Path, logs: Path) -> None:
        self.ledger = Ledger()
        self.asked: list[Asked] = []
        self.opened: list[float] = []
        self._reader = Reader(record)
        self._logs = [_Log(path) for path in sorted(logs.glob("*Function.log"))]

    def look(self) -> None:
        """Take what is new."""
        for line in self._reader.new():
            self.ledger.add(line)
            if isinstance(line, Asked):
                self.asked.append(line)
        for log in self._logs:
            self.opened += log.openings()

    def since(self, moment: float) -> list[Asked]:
        """Return the requests that were answered after `moment`, a time.time()."""
        return [asked for asked in self.asked if asked.at >= moment]

    def first_opening(self, moment: float) -> float | None:
        """Return when the first circuit opened after `moment`; None when none did."""
        return min((at for at in self.opened if at >= moment), default=None)


class _Log:
    """A function's log, followed when it is renamed because it is full."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open(encoding="utf-8", errors="replace")
        self._file.seek(0, 2)

    def openings(self) -> list[float]:
        """Return when circuits opened, by the lines of metrics that are new."""
        found = list(_openings(self._file))
        if self._path.exists() and self._path.stat().st_ino != _inode(self._file):
            self._file.close()
            self._file = self._path.open(encoding="utf-8", errors="replace")
            found += _openings(self._file)
        return found


def _inode(file: IO[str]) -> int:
    return os.fstat(file.fileno()).st_ino


def _openings(file: IO[str]) -> Iterator[float]:
    for line in file:
        if _OPENED in line and line.startswith("{"):
            try:
                yield json.loads(line)["_aws"]["Timestamp"] / 1e3
            except (ValueError, KeyError):  # a line that is still being written
                continue


def counted(asked: list[Asked]) -> dict[str, int]:
    """Count answers by what they were taken for."""
    return dict(Counter(each.seen for each in asked))


def failed(asked: list[Asked]) -> list[Asked]:
    """Return what was not answered as on a good day."""
    return [each for each in asked if each.seen != OK]
