"""Account orders by operators: suspending accounts and revoking XP, with all totals still consistent."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

import psycopg
import pytest

from testing.client import Api, Operator, Student, assert_problem
from testing.clock import DatabaseClock
from tests.contract.conftest import Lines

Sql = psycopg.Connection[Any]
WHY = "forged sessions"


pytestmark = pytest.mark.usefixtures("no_wrong_tokens")


def order(operator: Operator, student: Student, what: str, **more: Any) -> Any:
    return operator.post(f"/health/accounts/{student.user_id}/{what}", {"reason": WHY, **more})


def holds(sql: Sql) -> None:
    assert sql.execute("select * from check_invariants()").fetchall() == []


def study(student: Student, clock: DatabaseClock, minutes: int, **more: Any) -> str:
    """Study for this many minutes, with heartbeats, and return the session's id."""
    session = student.start(minutes, **more)
    for _ in range(minutes // 5):
        clock.advance(minutes=5)
        student.post(f"/api/sessions/{session}/heartbeat")
    student.complete(session)
    clock.advance(minutes=1)
    return session


def sign_in(api: Api, student: Student) -> Any:
    return api.post("/api/auth/login", {"email": student.email, "password": student.password})


def test_a_suspended_account_is_out_until_it_is_restored(api: Api, operator: Operator, student: Student) -> None:
    """A suspended account cannot sign in or refresh its session, and its current token can no longer write."""
    for _ in range(2):  # the second order changes nothing
        assert order(operator, student, "suspend").status_code == 200
    assert_problem(sign_in(api, student), 401, "AUTHENTICATION_ERROR")
    renewed = api.post("/api/auth/refresh", {"refresh_token": student.registered["refresh_token"]})
    assert_problem(renewed, 401, "AUTHENTICATION_ERROR")
    event = {"session_id": str(uuid.uuid4()), "event_type": "start", "created_at": "2026-01-01T00:00:00Z"}
    for response in (
        student.post("/api/sessions/start", {"duration_minutes": 25}),
        student.post("/api/spaces/create", {"name": "Mine", "visibility": "public"}),
        student.patch("/api/users/me", {"display_name": "Still here"}),
        student.post("/api/sync/offline", {"events": [event]}),
    ):
        assert_problem(response, 403, "AUTHORIZATION_ERROR")
    for _ in range(2):
        assert order(operator, student, "restore").status_code == 200
    assert sign_in(api, student).status_code == 200
    assert student.post("/api/sessions/start", {"duration_minutes": 25}).status_code == 201


def test_forged_xp_is_taken_back(
    operator: Operator, student: Student, clock: DatabaseClock, noon: datetime, sql: Sql
) -> None:
    """Revoking XP adds a correcting ledger row once; totals, level, boards, XP badges and the day follow."""
    honest = study(student, clock, 30)
    before = student.get("/api/gamification/xp/me").json()["data"]["total_xp"]
    forged = [study(student, clock, 60) for _ in range(2)]
    assert student.get("/api/gamification/xp/me").json()["data"]["total_xp"] > before + 100
    assert "100_xp" in badges(student)
    assert "level_5" not in badges(student)
    answer = order(operator, student, "take-back-xp", session_ids=forged).json()["data"]
    assert answer["total_xp"] == before
    assert answer["xp_taken_back"] > 120
    found = student.get("/api/gamification/xp/me").json()["data"]
    assert (found["total_xp"], found["level"]) == (before, 1 + before // 100)
    assert "100_xp" not in badges(student)
    for period in ("weekly", "all-time"):
        board = student.get(f"/api/gamification/leaderboard/{period}").json()["data"]
        assert board["me"]["xp"] == before
    rows = student.get("/api/gamification/xp/history/me").json()["data"]
    assert [row["source"] for row in rows[:2]] == ["correction"] * 2
    assert sum(row["amount"] for row in rows) == before
    holds(sql)
    again = order(operator, student, "take-back-xp", session_ids=[*forged, *forged]).json()["data"]
    assert (again["xp_taken_back"], again["total_xp"]) == (0, before)
    assert student.get(f"/api/sessions/{honest}").json()["data"]["xp_awarded"] == before
    holds(sql)


def badges(student: Student) -> set[str]:
    found = student.get("/api/gamification/badges/me").json()["data"]["earned_badges"]
    return {each.get("badge_key") or each["key"] for each in found}


def test_who_loses_everything_can_earn_again(
    operator: Operator, student: Student, clock: DatabaseClock, noon: datetime, sql: Sql
) -> None:
    """A student without XP is on no board; new XP counts as usual, but milestones pay only once."""
    space = student.post("/api/spaces/create", {"name": "Forgers", "visibility": "public"}).json()["data"]["space_id"]
    forged = [study(student, clock, 120, space_id=space) for _ in range(4)]
    milestones = sql.execute(
        "select count(*) from xp_ledger where user_id = %s and milestone is not null", [student.user_id]
    ).fetchone()
    assert milestones == (1,), "there is one to be taken back"
    assert order(operator, student, "take-back-xp", session_ids=forged).json()["data"]["total_xp"] == 0
    holds(sql)
    me = student.get("/api/gamification/leaderboard/weekly").json()["data"]["me"]
    assert (me["rank"], me["xp"]) == (None, 0)
    assert student.post(f"/api/spaces/{space}/leave").status_code == 200
    holds(sql)
    for _ in range(2):
        study(student, clock, 30)
        holds(sql)
    assert student.get("/api/gamification/xp/me").json()["data"]["total_xp"] >= 60


def test_a_closed_period_keeps_what_it_had(
    operator: Operator, student: Student, clock: DatabaseClock, noon: datetime, sql: Sql
) -> None:
    """Closed periods stay unchanged, and the open boards are corrected."""
    forged = study(student, clock, 60)
    clock.advance(days=40)
    assert order(operator, student, "take-back-xp", session_ids=[forged]).status_code == 200
    kept = sql.execute(
        """select b.period, s.xp > 0 from leaderboard_scores s join leaderboards b using (board_id)
           where s.user_id = %s order by 1""",
        [student.user_id],
    ).fetchall()
    assert kept == [("monthly", True), ("weekly", True)]
    holds(sql)


def test_a_lifted_ban_lets_somebody_join_again(api: Api, operator: Operator, student: Student) -> None:
    """Lifting a ban also lifts it for the address that the ban recorded."""
    owner = api.student()
    space = owner.post("/api/spaces/create", {"name": "Owls", "visibility": "public"}).json()["data"]["space_id"]
    student.post(f"/api/spaces/{space}/join")
    owner.delete(f"/api/spaces/{space}/members/{student.user_id}?ban=true")
    assert_problem(student.post(f"/api/spaces/{space}/join"), 403, "AUTHORIZATION_ERROR")
    for _ in range(2):
        assert order(operator, student, "lift-ban", space_id=space).status_code == 200
    assert student.post(f"/api/spaces/{space}/join").status_code == 200


def test_orders_leave_their_lines(operator: Operator, student: Student, logged: Lines, sql: Sql) -> None:
    """The audit lines have the operator and the reason; the account's trail has the action and the reason, once."""
    for what in ("suspend", "suspend", "restore"):
        order(operator, student, what)
    lines = [line for line in logged.of_kind("audit") if line["action"] == "data_modification"]
    assert {(line["user_id"], line["resource_id"]) for line in lines} == {("operator:local", student.user_id)}
    assert lines[0]["changes"]["reason"] == WHY
    rows = sql.execute(
        "select operation, changes ->> 'reason' from audit_log where user_id = %s and resource_type = 'account'",
        [student.user_id],
    ).fetchall()
    assert [row for row in rows if row[0] in {"suspend", "restore"}] == [("suspend", WHY), ("restore", WHY)]


@pytest.mark.parametrize("what", ["suspend", "restore", "take-back-xp", "lift-ban"])
def test_orders_about_nobody(api: Api, operator: Operator, student: Student, what: str) -> None:
    """An unknown account is a 404, a malformed id or a missing reason a 400, and only operators can give orders."""
    body = {"reason": WHY, "session_ids": [str(uuid.uuid4())], "space_id": str(uuid.uuid4())}
    wanted = {"suspend": (), "restore": (), "take-back-xp": ("session_ids",), "lift-ban": ("space_id",)}[what]
    body = {name: body[name] for name in ("reason", *wanted)}
    path = f"/health/accounts/{uuid.uuid4()}/{what}"
    assert_problem(operator.post(path, body), 404, "NOT_FOUND")
    own = f"/health/accounts/{student.user_id}/{what}"
    if wanted:
        assert_problem(operator.post(own, body), 404, "NOT_FOUND")
        assert_problem(operator.post(own, {"reason": WHY}), 400, "VALIDATION_ERROR")
    assert_problem(operator.post(f"/health/accounts/nobody/{what}", body), 400, "VALIDATION_ERROR")
    for reason in ({}, {"reason": " "}, {"reason": "x" * 501}, {"reason": 7}):
        assert_problem(
            operator.post(own, {**{k: v for k, v in body.items() if k != "reason"}, **reason}), 400, "VALIDATION_ERROR"
        )
    assert_problem(student.post(own, body), 401, "AUTHENTICATION_ERROR")
    assert_problem(api.post(own, body), 401, "AUTHENTICATION_ERROR")


def test_sessions_of_others_are_not_taken_back(
    api: Api, operator: Operator, student: Student, clock: DatabaseClock, noon: datetime
) -> None:
    """One session of another user, or one still running, refuses the whole order."""
    own, other = study(student, clock, 30), study(api.student(), clock, 30)
    running = student.start(25)
    before = student.get("/api/gamification/xp/me").json()["data"]["total_xp"]
    for wrong in (other, running, str(uuid.uuid4())):
        assert_problem(order(operator, student, "take-back-xp", session_ids=[own, wrong]), 404, "NOT_FOUND")
    assert student.get("/api/gamification/xp/me").json()["data"]["total_xp"] == before
