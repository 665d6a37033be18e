"""`python -m local`: invalid settings are reported in one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.stack_directory import REPOSITORY


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "99999"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", "http"),
        ("PORT", "8000.0"),
        ("LOCAL_CONCURRENCY", "0"),
        ("LOCAL_CONCURRENCY", "many"),
        ("HOST", "no.such.example"),
        ("HOST", "203.0.113.5"),
    ],
)
def test_a_setting_that_makes_no_sense(name: str, value: str, tmp_path: Path) -> None:
    """The line names the setting, nothing is started or created, and there is no traceback."""
    environment = {"PATH": os.environ["PATH"], "STUDYSYNC_HOME": str(tmp_path / "home"), "PORT": "0", name: value}
    done = subprocess.run(
        [sys.executable, "-m", "local", "serve"],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr, len(done.stdout.splitlines())) == (1, "", 1)
    assert value in done.stdout
    assert not (tmp_path / "home").exists()
