"""The functions' log files, and which lines the terminal shows."""

from pathlib import Path

import pytest

from local.runtime.logs import FunctionLog, KindFiles, LineBuffer, RotatingFile, readable


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    """The newest lines are in the file itself, older ones in numbered files, the oldest are deleted."""
    log = RotatingFile(tmp_path / "a.log", limit=10, kept=2)
    for number in range(5):
        log.write(f"line {number}\n".encode())
    log.close()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"a.log": "line 4\n", "a.log.1": "line 3\n", "a.log.2": "line 2\n"}


def test_an_existing_file_is_appended_to(tmp_path: Path) -> None:
    """A restart keeps the existing lines, and counts their size."""
    (tmp_path / "a.log").write_text("before\n")
    log = RotatingFile(tmp_path / "a.log", limit=10)
    log.write(b"after\n")
    log.close()
    assert (tmp_path / "a.log.1").read_text() == "before\n"


def test_a_line_is_kept_byte_by_byte(tmp_path: Path) -> None:
    """A function may print bytes that are not text, and percent signs."""
    log = RotatingFile(tmp_path / "a.log")
    log.write(b"100 %s \xff\xfe \xc3\xa9\r\n")
    log.close()
    assert (tmp_path / "a.log").read_bytes() == b"100 %s \xff\xfe \xc3\xa9\r\n"


def test_lines_are_given_out_whole() -> None:
    """A partial line waits for its end, which may never come."""
    lines: list[bytes] = []
    buffer = LineBuffer(lines.append)
    for piece in (b"on", b"e\ntwo\nth", b"ree"):
        buffer.feed(piece)
    assert lines == [b"one\ntwo\n"]
    buffer.flush()
    assert lines[1:] == [b"three\n"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"level":"ERROR","message":"x"}', True),
        ('{"level": "WARNING"}', True),
        ("[ERROR] RuntimeError: x", True),
        ("ValueError: x", True),
        ("Traceback (most recent call last):", True),
        ('{"level":"INFO","message":"Error: none"}', False),
        ("REPORT RequestId: 1", False),
        ("all is well", False),
    ],
)
def test_only_alarming_lines_are_shown(tmp_path: Path, line: str, shown: bool) -> None:
    """Every line is in the file; warnings and errors are also shown."""
    seen: list[str] = []
    log = FunctionLog(tmp_path / "f.log", seen.append)
    log.output(f"first\n{line}\n".encode())
    log.close()
    assert seen == ([readable(line)] if shown else [])
    assert (tmp_path / "f.log").read_text() == f"first\n{line}\n"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            '{"level":"WARNING","message":"failed_login","kind":"security","timestamp":"t","route":"/api/auth/login"}',
            "WARNING failed_login route=/api/auth/login",
        ),
        (
            '{"level":"ERROR","message":"unhandled error","exception":"Traceback\\n  ...\\nKeyError: 1"}',
            "ERROR unhandled error KeyError: 1",
        ),
        ("plain", "plain"),
        ("[1, 2]", "[1, 2]"),
        ('{"a": 1}', '{"a": 1}'),
    ],
)
def test_lines_are_readable_in_the_terminal(line: str, shown: str) -> None:
    """A line shows the event and the distinguishing fields; anything but a log line is unchanged."""
    assert readable(line) == shown


def test_logs_are_sorted_by_kind(tmp_path: Path) -> None:
    """One file has everything, and errors, JSON and the audit trail have one each."""
    kinds = KindFiles(tmp_path)
    log = FunctionLog(tmp_path / "f.log", lambda line: None, kinds)
    audit, error, plain = '{"kind":"audit"}', '{"level":"ERROR","message":"x"}', "START"
    log.output(f"{audit}\n{error}\n{plain}\n".encode())
    log.close()
    kinds.close()
    found = {path.name: path.read_text().split() for path in tmp_path.iterdir()}
    assert found == {
        "f.log": [audit, error, plain],
        "studysync_all.log": [audit, error, plain],
        "studysync_errors.log": [error],
        "studysync_structured.json": [audit, error],
        "audit.log": [audit],
    }
