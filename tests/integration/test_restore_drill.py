"""The restore drill succeeds, and would detect a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from testing.client import Student
from tools.restore_drill import DrillError, _expect, contents

ROOT = Path(__file__).parents[2]


def test_a_lost_database_comes_back() -> None:
    """Every table is restored, every invariant holds, and a phone's reports after the dump are applied again."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.restore_drill"],
        cwd=ROOT,
        env={**os.environ, "USERS": "12"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()].count("ok") == 7
    for step in ("dump", "lose", "restore"):
        assert f" s  {step}" in done.stdout


@pytest.mark.parametrize(
    "change",
    [
        "update public.profiles set daily_goal_minutes = daily_goal_minutes + 1 where user_id = %s",
        "delete from public.user_stats where user_id = %s",
        "update auth.users set updated_at = now() + interval '1 second' where id = %s",
    ],
)
def test_one_row_that_differs_is_noticed(sql: psycopg.Connection[Any], student: Student, change: str) -> None:
    """A missing or changed row is detected in any table."""
    before = contents(sql)
    _expect("nothing happened", contents(sql), before)
    with sql.transaction(force_rollback=True):
        sql.execute(change, [student.user_id])  # type: ignore[call-overload]
        with pytest.raises(DrillError, match="not so: as before"):
            _expect("as before", contents(sql), before)
