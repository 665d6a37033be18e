"""Log files of functions, and what of them is shown at once."""

from pathlib import Path

import pytest

from local.runtime.logs import FunctionLog, LineBuffer, RotatingFile


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    """The newest lines are in the file itself, older ones in numbered ones, the oldest are gone."""
    log = RotatingFile(tmp_path / "a.log", limit=10, kept=2)
    for number in range(5):
        log.write(f"line {number}\n".encode())
    log.close()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"a.log": "line 4\n", "a.log.1": "line 3\n", "a.log.2": "line 2\n"}


def test_an_existing_file_is_appended_to(tmp_path: Path) -> None:
    """A restart keeps what was written, and counts it."""
    (tmp_path / "a.log").write_text("before\n")
    log = RotatingFile(tmp_path / "a.log", limit=10)
    log.write(b"after\n")
    log.close()
    assert (tmp_path / "a.log.1").read_text() == "before\n"


def test_lines_are_given_out_whole() -> None:
    """Pieces of a line wait for its end, which may never come."""
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
    """Everything is in the file; warnings and errors are shown as well."""
    seen: list[str] = []
    log = FunctionLog(tmp_path / "f.log", seen.append)
    log.output(f"first\n{line}\n".encode())
    log.close()
    assert seen == ([line] if shown else [])
    assert (tmp_path / "f.log").read_text() == f"first\n{line}\n"
