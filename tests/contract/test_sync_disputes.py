"""Overlapping sessions of two devices, wrong phone clocks and unordered batches: who is paid, and for what."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from studysync.settings import get_settings
from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.offline import MINUTE, life, send, xp


@pytest.fixture
def strict(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Strict mode, which withholds the XP of suspicious sessions."""
    monkeypatch.setenv("SUSPICION_MODE", "strict")
    get_settings.cache_clear()
    yield
    monkeypatch.undo()
    get_settings.cache_clear()


@pytest.mark.parametrize("batches", ["one", "two"])
def test_of_two_that_overlap_the_second_is_clipped(student: Student, noon: datetime, batches: str) -> None:
    """However the batches are cut, one session is paid in full and the other for the remaining time."""
    first, second = life(noon, 35), life(noon + 21 * MINUTE, 30)
    if batches == "one":
        result = send(student, first + second)
    else:
        assert send(student, first)["rejected_count"] == 0
        result = send(student, second)
    assert (result["rejected_count"], result["sessions"][-1]["clipped_seconds"]) == (0, 14 * 60)
    assert xp(student) == 45 + 16


def test_a_double_tap_costs_nothing(student: Student, noon: datetime) -> None:
    """An hour that was started twice within seconds is paid once."""
    result = send(student, life(noon, 60) + life(noon + timedelta(seconds=5), 60))
    assert len(result["sessions"]) == 1
    assert xp(student) == 70


def test_a_session_that_is_covered_blocks_no_other(student: Student, clock: DatabaseClock) -> None:
    """Completing it online is a CONFLICT on every attempt, and the next session can start."""
    session = student.start()
    clock.advance(minutes=1)
    send(student, life(clock.now() - 10 * MINUTE, 10), client_id="tablet")
    path = f"/api/sessions/{session}"
    for _ in range(2):
        assert_problem(student.post(f"{path}/complete"), 409, "CONFLICT")
        shown = student.get(path).json()["data"]
        assert (shown["status"], shown["xp_awarded"]) == ("abandoned", 0)
    assert student.get("/api/sessions/active").status_code == 404
    student.start()


@pytest.mark.usefixtures("strict")
@pytest.mark.parametrize("hours", [0, -1, -2, 1])
def test_a_wrong_clock_alone_holds_nothing(api: Api, noon: datetime, clock: DatabaseClock, hours: int) -> None:
    """Consecutive sessions stay consecutive, whatever the phone's clock says."""
    student, skew = api.student(), timedelta(hours=hours)
    batch = [each for n in range(3) for each in life(noon + timedelta(hours=n) + skew, 50)]
    result = send(student, batch, sent_at=(clock.now() + skew).isoformat())
    assert [outcome["held"] for outcome in result["sessions"]] == [False] * 3
    assert xp(student) == 200


@pytest.mark.usefixtures("strict")
def test_batches_that_arrive_in_another_order_hold_nothing(student: Student, noon: datetime) -> None:
    """Events within a session are ordered by time before anything counts as out of order."""
    session = life(noon, 60)
    start, beats, complete = session[:1], session[1:-1], session[-1:]
    send(student, start)
    for part in (beats[8:], beats[4:8], beats[:4]):
        assert send(student, part)["rejected_count"] == 0
    (outcome,) = send(student, complete)["sessions"]
    assert (outcome["suspicion_score"], outcome["held"]) == (0, False)
    assert xp(student) == 70


def test_a_start_that_brought_its_session_along_tells_so_again(student: Student, noon: datetime) -> None:
    """When the answer to the start was lost, the same batch has the same outcome."""
    session = life(noon, 20)
    send(student, session[1:])
    first = send(student, session[:1])
    again = send(student, session[:1])
    assert len(first["sessions"]) == 1
    assert again["sessions"] == first["sessions"]


def test_a_long_past_does_not_slow_a_batch_down(student: Student, noon: datetime, sql: psycopg.Connection[Any]) -> None:
    """A batch of many sessions is answered in time, although the student has thousands of earlier ones."""
    sql.execute(
        """insert into study_sessions
             (session_id, user_id, duration_minutes, status, started_at, last_activity_at, ended_at)
           select gen_random_uuid(), %s, 25, 'completed', at, at, at + interval '25 minutes'
           from generate_series(%s::timestamptz - interval '2000 hours', %s::timestamptz - interval '10 hours',
                                interval '1 hour') at""",
        [student.user_id, noon, noon],
    )
    batch = [each for n in range(100) for each in life(noon - 500 * MINUTE + 5 * n * MINUTE, 4)]
    assert send(student, batch)["rejected_count"] == 0
    sql.execute("delete from study_sessions where user_id = %s and total_xp is null", [student.user_id])  # unpaid ones
