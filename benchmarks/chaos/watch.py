"""Follow what happens during the faults: the clients' record, and the circuits that open."""

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
    """Follower of the clients' record and the functions' logs."""

    def __init__(self, record: Path, logs: Path) -> None:
        self.ledger = Ledger()
        self.asked: list[Asked] = []
        self.opened: list[float] = []
        self._reader = Reader(record)
        self._logs = [_Log(path) for path in sorted(logs.glob("*Function.log"))]

    def look(self) -> None:
        """Read the new lines of the record and of the logs."""
        for line in self._reader.new():
            self.ledger.add(line)
            if isinstance(line, Asked):
                self.asked.append(line)
        for log in self._logs:
            self.opened += log.openings()

    def since(self, moment: float) -> list[Asked]:
        """Return the requests answered at or after `moment` (a Unix time in seconds)."""
        return [asked for asked in self.asked if asked.at >= moment]

    def first_opening(self, moment: float) -> float | None:
        """Return the Unix time of the first circuit opening at or after `moment`; None if there was none."""
        return min((at for at in self.opened if at >= moment), default=None)


class _Log:
    """A function's log, followed across rotation."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open(encoding="utf-8", errors="replace")
        self._file.seek(0, 2)

    def openings(self) -> list[float]:
        """Return the Unix times of circuit openings in the new metric lines."""
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
            except (ValueError, KeyError):  # the line is still being written
                continue


def counted(asked: list[Asked]) -> dict[str, int]:
    """Count the answers by their class (see `benchmarks.load.record.SEEN`)."""
    return dict(Counter(each.seen for each in asked))


def failed(asked: list[Asked]) -> list[Asked]:
    """Return the requests that did not get a normal answer."""
    return [each for each in asked if each.seen != OK]
