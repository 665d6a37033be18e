"""Offline batches as clients send them: applied exactly once, in order, with retries of rejected events."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

import pytest

from studysync.telemetry import metrics
from testing.client import Api, Student, assert_problem
from testing.clock import DatabaseClock
from testing.offline import MINUTE, codes, event, life, send, xp


def test_a_week_offline_pays_as_online(student: Student, noon: datetime) -> None:
    """A batch with seven days of sessions gives the same XP, streak, badges and boards as the sessions online."""
    days = [noon - timedelta(days=n) for n in range(6, -1, -1)]
    result = send(student, [e for day in days for e in life(day)], client_id="phone")
    assert result["rejected_count"] == 0
    outcomes = result["sessions"]
    assert [o["xp_breakdown"] for o in outcomes[:6]] == [{"session": 30, "focus_bonus": 10}] * 6
    assert outcomes[6]["xp_breakdown"] == {"session": 30, "focus_bonus": 10, "streak_bonus": 2}
    assert (outcomes[6]["current_streak"], outcomes[6]["new_badges"]) == (7, ["7_day_streak"])
    assert xp(student) == 282
    week = student.get("/api/gamification/leaderboard/weekly").json()["data"]["me"]["xp"]
    assert week == 40 + 40 + 42  # the 5th of May 2032 is a Wednesday
    assert student.get("/api/sessions", params={"status": "completed"}).json()["data"][0]["efficiency"] == 90


def test_a_batch_sent_again_changes_nothing(student: Student, noon: datetime) -> None:
    """Every event of a repeated batch is a duplicate with its first outcome, and the sessions are returned too."""
    batch = life(noon)
    first = send(student, batch)
    again = send(student, batch)
    assert {r["status"] for r in again["results"]} == {"duplicate"}
    assert again["sessions"] == first["sessions"]
    assert xp(student) == first["sessions"][0]["total_xp"]


def test_20_at_once_apply_a_batch_once(api: Api, student: Student, noon: datetime) -> None:
    """Of 20 simultaneous copies of a batch each event is applied once."""
    batch = {"events": life(noon)}
    responses = api.at_once([api.send("POST", "/api/sync/offline", token=student.token, json=batch) for _ in range(20)])
    results = [r.json()["data"] for r in responses]
    assert sum(r["synced_count"] for r in results) == len(batch["events"])
    assert len({str(r["sessions"]) for r in results}) == 1
    assert xp(student) == results[0]["sessions"][0]["total_xp"]


def test_a_batch_cut_anywhere_is_completed_by_the_rest(student: Student, noon: datetime) -> None:
    """Overlapping parts of a batch end in the same state as the whole batch."""
    batch = life(noon)
    send(student, batch[:4])
    result = send(student, batch[2:])
    assert [r["status"] for r in result["results"]] == ["duplicate", "duplicate"] + ["applied"] * (len(batch) - 4)
    assert result["sessions"][0]["focus_seconds"] == 1800


def test_events_are_put_in_order(student: Student, noon: datetime) -> None:
    """Events are applied by time, not by their order in the batch."""
    result = send(student, life(noon)[::-1])
    assert result["rejected_count"] == 0
    assert result["sessions"][0]["focus_seconds"] == 1800


def test_events_wait_for_their_start(student: Student, noon: datetime) -> None:
    """An event before its start is rejected, and applied automatically when the start arrives."""
    batch = life(noon)
    early = send(student, batch[1:])
    assert set(codes(early)) == {"SESSION_NOT_FOUND"}
    assert xp(student) == 0
    late = send(student, batch[:1])
    assert late["results"][0]["status"] == "applied"
    assert xp(student) == 40
    again = send(student, batch)
    assert {r["status"] for r in again["results"]} == {"duplicate"}
    assert again["sessions"][0]["focus_seconds"] == 1800
    assert student.get("/api/sync/rejected").json()["data"] == []


def test_old_clients_events_are_known_by_what_they_say(student: Student, noon: datetime) -> None:
    """Events without event_id and offset are applied once, and a repeat is a duplicate."""
    batch = [
        {k: v for k, v in e.items() if k != "event_id"} | {"created_at": e["created_at"].removesuffix("+00:00")}
        for e in life(noon)
    ]
    first, again = send(student, batch, last_sync="whenever"), send(student, batch)
    assert first["synced_count"] == again["duplicate_count"] == len(batch)
    assert [r["event_id"] for r in first["results"]] == [r["event_id"] for r in again["results"]]
    unknown = {"session_id": str(uuid.uuid4()), "event_type": "heartbeat", "created_at": "2032-05-05T12:00:00"}
    assert codes(send(student, [unknown])) == ["SESSION_NOT_FOUND"]


def test_an_event_id_belongs_to_one_event(student: Student, noon: datetime) -> None:
    """A reused event id with other content is refused, in the same batch or later; the first event stays."""
    batch = life(noon)[:2]
    batch.append({**batch[1], "event_type": "break_start"})
    result = send(student, batch)
    assert codes(result) == [None, None, "IDEMPOTENCY_KEY_REUSED"]
    assert codes(send(student, batch[2:])) == ["IDEMPOTENCY_KEY_REUSED"]
    twice = send(student, [batch[1], batch[1]])
    assert [r["status"] for r in twice["results"]] == ["duplicate", "duplicate"]
    trail = student.get(f"/api/sessions/{batch[0]['session_id']}/audit").json()["data"]
    assert [e["event_type"] for e in trail] == ["start", "heartbeat"]


def test_a_rejected_event_can_be_tried_again(api: Api, student: Student, noon: datetime, clock: DatabaseClock) -> None:
    """Once the obstacle is gone, a retry applies the event and those that waited for it."""
    session_id, now = str(uuid.uuid4()), clock.now()
    beats = [event("heartbeat", session_id, now + n * MINUTE / 10) for n in (1, 2, 3)]
    assert codes(send(student, beats)) == ["SESSION_NOT_FOUND"] * 3
    path = f"/api/sync/rejected/{beats[0]['event_id']}/retry"
    assert student.post(path).json()["data"]["status"] == "rejected"
    student.start(25, session_id=session_id)
    retried = student.post(path).json()["data"]
    assert (retried["status"], retried["error_code"]) == ("applied", None)
    trail = student.get(f"/api/sessions/{session_id}/audit").json()["data"]
    assert [e["event_type"] for e in trail] == ["start", *["heartbeat"] * 3]
    assert student.get("/api/sync/rejected").json()["data"] == []
    assert student.post(path).json()["data"]["status"] == "applied"
    assert_problem(student.post(f"/api/sync/rejected/{uuid.uuid4()}/retry"), 404, "NOT_FOUND")
    assert_problem(api.student().post(path), 404, "NOT_FOUND")


def test_xp_is_counted_by_the_call_that_pays_it(
    student: Student, noon: datetime, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch's XP is counted once in the metrics: not again for a repeat, and a retry's XP with the retry."""
    counted: dict[str, list[float]] = {}
    monkeypatch.setattr(metrics, "_pending", counted)

    def taken() -> tuple[float, float]:
        return counted.pop("XpAwarded")[0], counted.pop("SessionsCompleted")[0]

    batch = life(noon)
    send(student, batch)
    assert taken() == (40, 1)
    send(student, batch)
    assert taken() == (0, 0)
    send(student, [*batch, *life(noon + timedelta(hours=1), 10)])
    assert taken() == (10, 1)
    ahead = life(clock.now() - 10 * MINUTE, 10)
    send(student, ahead[1:])
    assert taken() == (0, 0)
    student.start(10, session_id=ahead[0]["session_id"])
    student.post(f"/api/sync/rejected/{ahead[-1]['event_id']}/retry")
    assert taken() == (1, 1)
    assert xp(student) == 51
