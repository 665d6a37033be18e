"""Session rules that need time to pass: silence, the schedule, streaks, daily limits, suspicion."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from studysync.settings import get_settings
from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.spaces import create, join
from testing.timeline import completed_session, record, violations


def close_silent_sessions(api: Api) -> dict[str, int]:
    from sessions.service import close_silent_sessions as run

    return api.run(run())


def study(student: Student, clock: DatabaseClock, minutes: int, **completion: Any) -> dict[str, Any]:
    """Run a session with a heartbeat every 5 minutes."""
    session_id = student.start(720)
    for _ in range(minutes // 5):
        clock.advance(minutes=5)
        student.post(f"/api/sessions/{session_id}/heartbeat")
    clock.advance(minutes=minutes % 5)
    return student.complete(session_id, **completion)


@pytest.mark.parametrize("ending", ["complete", "abandon"])
def test_the_clock_is_set_back_during_a_session(
    student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any], ending: str
) -> None:
    """XP earned before the clock change stays, none is paid twice, and the session ends normally."""
    session_id = student.start(60)
    clock.advance(minutes=4)
    before = student.post(f"/api/sessions/{session_id}/heartbeat").json()["data"]
    clock.advance(hours=-2)
    after = student.post(f"/api/sessions/{session_id}/heartbeat").json()["data"]
    assert after == before
    ended = student.post(f"/api/sessions/{session_id}/{ending}")
    assert ended.status_code == 200, ended.text
    assert ended.json()["data"]["focus_seconds"] == before["focus_seconds"] >= 4 * 60
    assert student.start(60)
    assert violations(sql) == []


def test_silence_counts_five_minutes(student: Student, clock: DatabaseClock) -> None:
    """Of a gap of 30 minutes without a sign of life, 5 are credited."""
    session_id = student.start(60)
    clock.advance(minutes=30)
    student.post(f"/api/sessions/{session_id}/heartbeat")
    clock.advance(minutes=2)
    assert student.complete(session_id)["focus_seconds"] == 7 * 60


def test_breaks_do_not_count(student: Student, clock: DatabaseClock) -> None:
    """Time between break_start and break_end is not credited, with or without heartbeats in it."""
    session_id = student.start(60)
    for event_type, minutes in [("break_start", 4), ("heartbeat", 4), ("break_end", 4)]:
        clock.advance(minutes=minutes)
        student.post(f"/api/sessions/{session_id}/audit", {"event_type": event_type})
    clock.advance(minutes=3)
    assert student.complete(session_id)["focus_seconds"] == 7 * 60


def test_a_silent_session_is_abandoned_by_the_schedule(api: Api, student: Student, clock: DatabaseClock) -> None:
    """After 60 minutes of silence a session with little credited time is abandoned without XP."""
    session_id = student.start(60)
    clock.advance(minutes=59)
    close_silent_sessions(api)
    assert student.get(f"/api/sessions/{session_id}").json()["data"]["status"] == "active"
    clock.advance(minutes=2)
    assert close_silent_sessions(api)["abandoned"] >= 1
    session = student.get(f"/api/sessions/{session_id}").json()["data"]
    assert (session["status"], session["focus_seconds"], session["xp_awarded"]) == ("abandoned", 300, 0)


def test_a_silent_session_that_ran_long_enough_is_completed(api: Api, student: Student, clock: DatabaseClock) -> None:
    """With 80 % of its planned time credited it is completed and paid, dated by its last sign of life."""
    session_id = student.start(25)
    for _ in range(3):
        clock.advance(minutes=5)
        student.post(f"/api/sessions/{session_id}/heartbeat")
    last_seen = clock.now()
    clock.advance(minutes=61)
    close_silent_sessions(api)
    session = student.get(f"/api/sessions/{session_id}").json()["data"]
    assert (session["status"], session["focus_seconds"], session["xp_awarded"]) == ("completed", 20 * 60, 20)
    ended_at = datetime.fromisoformat(session["ended_at"])
    assert abs(ended_at - last_seen - timedelta(minutes=5)) < timedelta(seconds=5)
    assert student.complete(session_id)["xp_awarded"] == 20


def test_a_silent_session_does_not_block_the_next(student: Student, clock: DatabaseClock) -> None:
    """A start closes a silent session that the schedule has not closed yet."""
    first = student.start(60)
    clock.advance(minutes=61)
    second = student.start(25)
    assert student.get(f"/api/sessions/{first}").json()["data"]["status"] == "abandoned"
    assert student.get("/api/sessions/active").json()["data"]["session_id"] == second


def test_short_sessions_pay_five_times_a_day(student: Student, clock: DatabaseClock) -> None:
    """A session under a minute pays 1 XP, up to five times a local day."""
    clock.set(datetime(2026, 3, 2, 10, tzinfo=UTC))
    paid = [student.complete(student.start(1))["xp_awarded"] for _ in range(7)]
    assert paid == [1, 1, 1, 1, 1, 0, 0]
    clock.set(datetime(2026, 3, 3, 10, tzinfo=UTC))
    assert student.complete(student.start(1))["xp_awarded"] == 1


def test_the_daily_bonus_comes_once(student: Student, clock: DatabaseClock) -> None:
    """The session that brings the day to 120 credited minutes pays 20 more XP, and no other that day."""
    clock.set(datetime(2026, 3, 2, 6, tzinfo=UTC))
    first, second, third = (study(student, clock, 60) for _ in range(3))
    assert "daily_bonus" not in first["xp_breakdown"]
    assert second["xp_breakdown"]["daily_bonus"] == 20
    assert "daily_bonus" not in third["xp_breakdown"]


def test_a_week_of_days_pays_the_streak_bonus(student: Student, clock: DatabaseClock) -> None:
    """From the seventh consecutive day on, the session that brings a day to 25 minutes pays 2 more XP."""
    outcomes = []
    for day in range(1, 9):
        clock.set(datetime(2026, 3, day, 12, tzinfo=UTC))
        outcomes.append([study(student, clock, minutes) for minutes in (20, 5, 30)])
    assert [first["current_streak"] for first, _, _ in outcomes] == list(range(1, 9))
    bonuses = [[o["xp_breakdown"].get("streak_bonus", 0) for o in day] for day in outcomes]
    assert bonuses == [[0, 0, 0]] * 6 + [[0, 2, 0]] * 2
    clock.set(datetime(2026, 3, 9, 23, tzinfo=UTC))
    assert student.get("/api/users/me").json()["data"]["current_streak"] == 8
    clock.set(datetime(2026, 3, 10, 0, 1, tzinfo=UTC))
    assert student.get("/api/users/me").json()["data"]["current_streak"] == 0
    assert study(student, clock, 5)["current_streak"] == 1


def test_days_are_those_of_the_profiles_time_zone(api: Api, clock: DatabaseClock) -> None:
    """Two sessions around midnight in Auckland are on two days there, and on one in UTC."""
    students = [api.student(timezone=zone) for zone in ("Pacific/Auckland", "UTC")]
    streaks = []
    for student in students:
        clock.set(datetime(2026, 6, 1, 11, 40, tzinfo=UTC))
        study(student, clock, 5)
        clock.set(datetime(2026, 6, 1, 12, 10, tzinfo=UTC))
        streaks.append(study(student, clock, 5)["current_streak"])
    assert streaks == [2, 1]


def heartbeats(student: Student, clock: DatabaseClock, claims: list[str | None]) -> str:
    session_id = student.start(60)
    for claim in claims:
        clock.advance(seconds=30)
        student.post(f"/api/sessions/{session_id}/heartbeat", {"timestamp": claim} if claim else None)
    return session_id


def test_an_honest_session_is_not_suspicious(student: Student, clock: DatabaseClock) -> None:
    """Heartbeats with true times have a suspicion score of 0."""
    session_id = student.start(60)
    for seconds in (31, 29, 30, 33, 30):
        clock.advance(seconds=seconds)
        student.post(f"/api/sessions/{session_id}/heartbeat", {"timestamp": clock.now().isoformat()})
    assert student.complete(session_id, completed_at=clock.now().isoformat())["suspicion_score"] == 0


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param(["2026-01-01T10:00:00Z", "2026-01-01T09:00:00Z", "2026-01-01T08:00:00Z"], id="out of order"),
        pytest.param(["2026-01-01T10:00:00Z"] * 4, id="duplicated"),
        pytest.param([(datetime.now(UTC) + timedelta(hours=5)).isoformat()], id="clock skew"),
    ],
)
def test_each_signal_raises_the_score(student: Student, clock: DatabaseClock, claims: list[str]) -> None:
    """Impossible claims make a session suspicious; in soft mode it is paid anyway."""
    outcome = student.complete(heartbeats(student, clock, claims))
    assert 0 < outcome["suspicion_score"] <= 75
    assert (outcome["flagged"], outcome["held"]) == (False, False)
    assert outcome["xp_awarded"] > 0


MINUTE = timedelta(minutes=1)
JITTER = [0.0, 0.7, -0.4, 0.3, -0.9, 0.5, -0.2, 0.8, -0.6, 0.1, 0.4, -0.7, 0.2, -0.1, 0.6, -0.3]


def score(
    sql: psycopg.Connection[Any],
    student: Student,
    start: datetime,
    beats: list[float],
    claimed: list[float] | None = None,
) -> int:
    """The raw score of a session with heartbeats `beats` seconds after its start, claimed at `claimed`."""
    session_id = uuid.uuid4()
    sql.execute(
        """insert into study_sessions (session_id, user_id, duration_minutes, started_at, last_activity_at, progress)
           values (%(id)s, %(user)s, 60, %(at)s, %(at)s, internal.initial_progress(%(at)s))""",
        {"id": session_id, "user": student.user_id, "at": start},
    )
    for second, claim in zip(beats, claimed or beats, strict=True):
        at, claimed_at = start + timedelta(seconds=second), start + timedelta(seconds=claim)
        record(sql, session_id, [("heartbeat", at, claimed_at)])
    query = "select internal.suspicion_score(s, %s, null) from study_sessions s where session_id = %s"
    row = sql.execute(query, [start + timedelta(seconds=beats[-1]), session_id]).fetchone()
    assert row is not None
    found: int = row[0]
    return found


def test_each_signal_of_the_contract_counts(student: Student, sql: psycopg.Connection[Any]) -> None:
    """Regular and impossible rates, overlaps and implausible days raise an otherwise honest session's score."""
    start = datetime(2026, 4, 4, 4, tzinfo=UTC)
    honest = [30.0 * n + JITTER[n] for n in range(1, 16)]
    cases = {
        "honest": (honest, None, 0),
        "machine-regular": ([30.0 * n for n in range(1, 16)], None, 20),
        "impossible rate": ([0.1 * n * n for n in range(1, 13)], None, 16),
        "out of order": (honest, honest[::-1], 24),
    }
    for name, (beats, claimed, least) in cases.items():
        with sql.transaction(force_rollback=True):
            found = score(sql, student, start, beats, claimed)
            assert (found >= least) if least else (found == 0), (name, found)
    with sql.transaction(force_rollback=True):
        completed_session(sql, student.user_id, start + 10 * MINUTE, 10)
        earlier = [second - 300 for second in honest]
        assert score(sql, student, start + 11 * MINUTE, honest, earlier) >= 30  # claimed to have been in both
    with sql.transaction(force_rollback=True):
        completed_session(sql, student.user_id, start + 10 * MINUTE, 10)
        behind = [second - 119 for second in honest]
        assert score(sql, student, start + 10 * MINUTE, honest, behind) == 0  # a slow clock, which is usual
    with sql.transaction(force_rollback=True):
        night = start + timedelta(hours=19)
        for hours in (1, 10):
            completed_session(sql, student.user_id, night - timedelta(hours=hours), 480)
        assert score(sql, student, night, honest) >= 20  # 16 hours of study in a day
    with sql.transaction(force_rollback=True):
        for number in range(61):
            completed_session(sql, student.user_id, start + number * MINUTE, 1)
        assert score(sql, student, start + 62 * MINUTE, honest) >= 20  # the 62nd session of a day


def test_strict_mode_holds_from_25_on(student: Student, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A held session is completed, flagged, and pays nothing: no XP and no streak day."""
    monkeypatch.setenv("SUSPICION_MODE", "strict")
    get_settings.cache_clear()
    try:
        claims = ["2026-01-01T10:00:00Z", "2026-01-01T09:00:00Z", "2026-01-01T08:00:00Z"]
        outcome = student.complete(heartbeats(student, clock, claims))
    finally:
        monkeypatch.undo()
        get_settings.cache_clear()
    assert outcome["suspicion_score"] >= 25
    assert (outcome["flagged"], outcome["held"], outcome["xp_awarded"], outcome["current_streak"]) == (True, True, 0, 0)
    assert student.get("/api/users/me").json()["data"]["xp"] == 0


def test_forgiveness_grows_with_the_record_and_ends_at_60_percent(
    student: Student, clock: DatabaseClock, sql: psycopg.Connection[Any]
) -> None:
    """The same session scores less for a student with XP, but never under 40 % of the raw score."""
    claims: list[str | None] = ["2026-01-01T10:00:00Z", "2026-01-01T09:00:00Z"]
    raw = student.complete(heartbeats(student, clock, claims))["suspicion_score"]
    sql.execute("update user_stats set total_xp = 4000 where user_id = %s", [student.user_id])
    clock.advance(hours=1)
    some = student.complete(heartbeats(student, clock, claims))["suspicion_score"]
    sql.execute("update user_stats set total_xp = 9000000 where user_id = %s", [student.user_id])
    clock.advance(hours=1)
    most = student.complete(heartbeats(student, clock, claims))["suspicion_score"]
    student.delete("/api/users/me")  # its totals match no ledger
    assert most < some
    assert most >= 0.4 * raw


def test_keys_are_forgotten(student: Student, clock: DatabaseClock, api: Api) -> None:
    """The schedule deletes the Idempotency-Keys of events after a day, of other writes after 7, and not before."""
    session_id = student.start(25)
    path, headers = f"/api/sessions/{session_id}/audit", {"Idempotency-Key": "week"}
    first = student.post(path, {"event_type": "note"}, headers=headers).json()
    close_silent_sessions(api)
    assert student.post(path, {"event_type": "note"}, headers=headers).json() == first
    space = {"name": "Kept", "visibility": "public"}
    created = student.post("/api/spaces/create", space, headers={"Idempotency-Key": "space"}).json()
    clock.advance(days=1, hours=1)
    close_silent_sessions(api)
    assert_problem(student.post(path, {"event_type": "note"}, headers=headers), 409, "SESSION_NOT_ACTIVE")
    clock.advance(days=5)
    close_silent_sessions(api)
    assert student.post("/api/spaces/create", space, headers={"Idempotency-Key": "space"}).json() == created
    clock.advance(days=1)
    close_silent_sessions(api)
    again = student.post("/api/spaces/create", space, headers={"Idempotency-Key": "space"}).json()
    assert again["data"]["space_id"] != created["data"]["space_id"]


def test_a_session_id_that_two_take_at_once_is_one_s(api: Api) -> None:
    """Of two simultaneous starts with one id, the second is told that the id is taken."""
    students = [api.student() for _ in range(6)]
    for _ in range(5):
        body = {"session_id": str(uuid.uuid4()), "duration_minutes": 25}
        starts = [api.send("POST", "/api/sessions/start", token=each.token, json=body) for each in students]
        answers = api.at_once(starts)
        assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
        winner = students[[answer.status_code for answer in answers].index(201)]
        assert winner.post(f"/api/sessions/{body['session_id']}/abandon").status_code == 200


def test_a_start_may_be_repeated_after_its_space_went(api: Api, student: Student) -> None:
    """The repeat is the same start, of a session that no longer has a space."""
    owner = api.student()
    space = create(owner)
    assert join(student, space).status_code == 200
    body = {"session_id": str(uuid.uuid4()), "duration_minutes": 25, "space_id": space["space_id"]}
    assert student.post("/api/sessions/start", body).status_code == 201
    assert owner.delete(f"/api/spaces/{space['space_id']}").status_code == 200
    again = student.post("/api/sessions/start", body)
    assert (again.status_code, again.json()["data"]["space_id"]) == (201, None)
    other = student.post("/api/sessions/start", {**body, "duration_minutes": 30})
    assert_problem(other, 422, "IDEMPOTENCY_KEY_REUSED")
