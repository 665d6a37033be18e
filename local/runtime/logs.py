"""The logs of functions: one file per function, files by kind, and urgent lines to the terminal."""

import json
import logging
import re
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path

EVERYTHING = "studysync_all.log"
_LIMIT, _KEPT = 10 * 1024 * 1024, 5
_LINE_LIMIT = 256 * 1024
_ALARMING = re.compile(
    rb'"level":\s*"(WARNING|ERROR|CRITICAL)"|\[(WARNING|ERROR|CRITICAL)\]|^Traceback |^\w*Error: ', re.MULTILINE
)


_ERROR = re.compile(rb'"level":\s*"(ERROR|CRITICAL)"|\[(ERROR|CRITICAL)\]|^Traceback |^\w*Error: ')
_JSON = re.compile(rb"^\{")
_AUDIT = re.compile(rb'"kind":\s*"audit"')
# Already part of the line, or of no interest on a terminal.
_UNSHOWN = frozenset(
    {"level", "message", "timestamp", "service", "location", "kind", "exception", "sampling_rate", "exception_name"}
    | {"stack_trace", "event_type", "severity", "method", "path", "status_code", "xray_trace"}
)


def readable(line: str) -> str:
    """Return a JSON line in a readable form; any other line unchanged."""
    try:
        fields = json.loads(line)
    except ValueError:
        return line
    if not isinstance(fields, dict) or "message" not in fields:
        return line
    more = " ".join(f"{name}={value}" for name, value in fields.items() if name not in _UNSHOWN and value is not None)
    last = str(fields.get("exception", "")).strip().rpartition("\n")[2]
    return " ".join(part for part in (fields.get("level", ""), str(fields["message"]), more, last) if part)


class RotatingFile:
    """A log file that is renamed to `.1`, `.2`, ... when it is full."""

    def __init__(self, path: Path, limit: int = _LIMIT, kept: int = _KEPT) -> None:
        self._handler = RotatingFileHandler(path, "a", limit, kept, encoding="utf-8", errors="surrogateescape")
        self._handler.terminator = ""

    def write(self, data: bytes) -> None:
        """Append whole lines."""
        self._handler.handle(logging.makeLogRecord({"msg": data.decode(errors="surrogateescape")}))

    def close(self) -> None:
        """Close it."""
        self._handler.close()


class KindFiles:
    """The logs of all functions by kind: everything, errors, JSON lines, and the audit trail.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self._all = RotatingFile(folder / EVERYTHING)
        self._errors = RotatingFile(folder / "studysync_errors.log")
        self._structured = RotatingFile(folder / "studysync_structured.json")
        self._audit = RotatingFile(folder / "audit.log")

    def write(self, lines: bytes) -> None:
        """Write whole lines to the files they belong to."""
        self._all.write(lines)
        found = lines.splitlines(keepends=True)
        for file, wanted in ((self._errors, _ERROR), (self._structured, _JSON), (self._audit, _AUDIT)):
            chosen = b"".join(line for line in found if wanted.search(line))
            if chosen:
                file.write(chosen)

    def close(self) -> None:
        """Close them."""
        for file in (self._all, self._errors, self._structured, self._audit):
            file.close()


class FunctionLog:
    """The log of one function.

    Args:
        path: the file.
        show: called with lines that should appear on the terminal at once.
        kinds: the files of all functions together; None: none.
    """

    def __init__(self, path: Path, show: Callable[[str], None], kinds: KindFiles | None = None) -> None:
        self._file, self._show, self._kinds = RotatingFile(path), show, kinds

    def output(self, lines: bytes) -> None:
        """Write lines of the function."""
        self._file.write(lines)
        if self._kinds is not None:
            self._kinds.write(lines)
        if _ALARMING.search(lines):
            for line in lines.splitlines():
                if _ALARMING.search(line):
                    self._show(readable(line.decode(errors="replace")))

    def platform(self, line: str, *, alarming: bool = False) -> None:
        """Write a line of the platform, such as START and REPORT."""
        self._file.write(line.encode() + b"\n")
        if alarming:
            self._show(line)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class LineBuffer:
    """Splits a stream of bytes into lines; excessively long lines are truncated."""

    def __init__(self, emit: Callable[[bytes], None]) -> None:
        self._emit, self._rest = emit, b""

    def feed(self, data: bytes) -> None:
        """Add data that was read."""
        data = self._rest + data
        cut = data.rfind(b"\n") + 1
        if not cut and len(data) > _LINE_LIMIT:
            data += b"\n"
            cut = len(data)
        self._rest = data[cut:]
        if cut:
            self._emit(data[:cut])

    def flush(self) -> None:
        """Emit an unfinished last line."""
        if self._rest:
            rest, self._rest = self._rest, b""
            self._emit(rest + b"\n")
