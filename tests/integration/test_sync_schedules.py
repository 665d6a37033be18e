"""Offline sync against a plain sequential model, over random schedules of everything that goes wrong on the way.

`SCHEDULES=10000 make test ARGS="tests/integration/test_sync_schedules.py -n 2"` runs the long version.
"""

from __future__ import annotations

import os
import random
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from local.backends import Backends
from sync.events import read_event
from testing.clock import DatabaseClock
from testing.model import StudentModel, credited_seconds
from testing.timeline import violations

pytestmark = [pytest.mark.properties, pytest.mark.slow]

SCHEDULES = int(os.environ.get("SCHEDULES", "200"))
WORKERS = 8
NOW = datetime(2033, 6, 15, 12, tzinfo=UTC)
ZONES = ["UTC", "America/New_York", "Asia/Tokyo"]


@dataclass
class Session:
    """A session as it really was: times in seconds after its start."""

    session_id: str
    device: int
    start: datetime
    marks: list[tuple[float, str]]
    ending: str  # complete, abandon, or nothing when the phone died
    end: float
    planned_minutes: int = 25

    def events(self, skew: timedelta, with_ids: bool) -> list[dict[str, Any]]:
        """The events that its device queues, dated by the device's clock."""
        steps = [(0.0, "start"), *self.marks] + ([(self.end, self.ending)] if self.ending else [])
        return [
            {
                "session_id": self.session_id,
                "event_type": kind,
                "created_at": (self.start + timedelta(seconds=at) + skew).isoformat(),
                **({"event_id": str(uuid.uuid4())} if with_ids else {}),
                **({"event_payload": {"duration_minutes": self.planned_minutes}} if kind == "start" else {}),
            }
            for at, kind in steps
        ]

    def expected(self) -> tuple[str, int]:
        """Status and credited seconds; a session without an end is closed by the schedule for its silence."""
        if self.ending:
            status = "completed" if self.ending == "complete" else "abandoned"
            return status, credited_seconds(self.marks, self.end)
        last = max([0.0, *(at for at, _ in self.marks)])
        credited = credited_seconds(self.marks, last + 300)
        return ("completed" if credited >= 48 * self.planned_minutes else "abandoned"), credited


@dataclass
class Schedule:
    """Sessions of one user on two devices, and how their batches travel."""

    dice: random.Random
    sessions: list[Session] = field(default_factory=list)

    def __post_init__(self) -> None:
        at = NOW - timedelta(days=self.dice.choice([1, 3, 9]))
        for _ in range(self.dice.randint(1, 7)):
            if at < NOW - timedelta(hours=3):
                at = self._add_session(at)

    def _add_session(self, at: datetime) -> datetime:
        dice, second = self.dice, 0.0
        marks = []
        for _ in range(dice.randint(0, 6)):
            second += dice.choice([1, 30, 60, 290, 300, 301, 600])
            marks.append((second, dice.choice(["heartbeat", "heartbeat", "focus_start", "break_start", "break_end"])))
        end = second + dice.choice([1, 59, 60, 299, 600])
        ending = dice.choices(["complete", "abandon", ""], weights=[8, 1, 1])[0]
        device = dice.randint(0, 1)
        self.sessions.append(Session(str(uuid.uuid4()), device, at, marks, ending, end, dice.choice([1, 25])))
        pause = dice.choice([1, 60, 4000, 90_000]) if ending else 4000 + 300
        return at + timedelta(seconds=end + pause)


def deliveries(schedule: Schedule, queue: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Cut a device's queue into batches and send them badly: repeated, overlapping, late again, shuffled inside."""
    dice, sent, position = schedule.dice, [], 0
    while position < len(queue):
        size = dice.choice([1, 2, 3, 5, 8, 500])
        batch = queue[max(0, position - dice.choice([0, 0, 1, 4])) : position + size]
        position += size
        if dice.random() < 0.2:
            batch = dice.sample(batch, len(batch))
        sent.append(batch)
        if dice.random() < 0.3:  # the answer was lost
            sent.append(batch)
        if dice.random() < 0.15:  # an old batch comes once more, late
            sent.append(dice.choice(sent))
    return sent


def apply(
    connection: psycopg.Connection[Any], user: str, batch: list[dict[str, Any]], skew: timedelta
) -> dict[str, Any]:
    """Send a batch as the service does."""
    events = [read_event(raw, UUID(user)) for raw in batch]
    arguments = {"events": events, "sent_at": (NOW + skew).isoformat(), "client_id": "c", "mode": "soft"}
    row = connection.execute("select sync_offline(%s, %s)", [user, Jsonb(arguments)]).fetchone()
    assert row is not None
    result: dict[str, Any] = row[0]
    return result


def run_schedule(connection: psycopg.Connection[Any], seed: int) -> None:
    """Play one schedule and hold the outcome against the model."""
    dice = random.Random(seed)
    schedule, zone = Schedule(dice), dice.choice(ZONES)
    user = _account(connection, zone)
    queues = []
    for device in (0, 1):
        skew = timedelta(hours=dice.choice([0, 0, 24, -24, 7.5]))
        with_ids = dice.random() < 0.7
        queue = [e for s in schedule.sessions if s.device == device for e in s.events(skew, with_ids)]
        queues.append([(batch, skew) for batch in deliveries(schedule, queue)])
    outcomes: dict[str, Any] = {}
    first_results: dict[str, dict[str, Any]] = {}
    while any(queues):
        batch, skew = dice.choice([queue for queue in queues if queue]).pop(0)
        if dice.random() < 0.1:  # the function was killed before the commit
            with connection.transaction(force_rollback=True):
                apply(connection, user, batch, skew)
        if dice.random() < 0.1:  # the schedule comes by in between
            connection.execute("select close_silent_sessions('soft', 200)")
        result = apply(connection, user, batch, skew)
        for answer in result["results"]:
            assert answer["status"] != "rejected", (seed, answer)
            first = first_results.setdefault(answer["event_id"], answer)
            assert answer is first or answer["status"] == "duplicate", (seed, answer, first)
        for outcome in result["sessions"]:
            assert outcomes.setdefault(outcome["session_id"], outcome) == outcome, seed
    _compare(connection, seed, user, schedule, zone)


def _compare(connection: psycopg.Connection[Any], seed: int, user: str, schedule: Schedule, zone: str) -> None:
    _set_clock(connection, NOW + timedelta(minutes=61))
    connection.execute("select close_silent_sessions('soft', 200)")
    _set_clock(connection, NOW)
    query = "select session_id::text, status, focus_seconds from study_sessions where user_id = %s"
    stored = {row[0]: row[1:] for row in connection.execute(query, [user])}
    assert stored.keys() == {s.session_id for s in schedule.sessions}, seed
    for number, session in enumerate(schedule.sessions):
        assert stored[session.session_id] == session.expected(), (seed, number, session)
    model = StudentModel(zone)
    paid = connection.execute(
        """select s.session_id::text, s.focus_seconds, s.ended_at, internal.session_outcome(s) from study_sessions s
           join (select session_id, min(seq) as paid from session_events where event_type = 'complete' group by 1) e
           using (session_id) where s.user_id = %s and s.status = 'completed' order by e.paid""",
        [user],
    )
    for _, focus_seconds, ended_at, outcome in paid:
        assert outcome["xp_breakdown"] == model.complete(focus_seconds, ended_at), seed
    stats = connection.execute("select total_xp, best_streak from user_stats where user_id = %s", [user]).fetchone()
    assert stats == (model.total_xp, model.best_streak), seed
    count = "select count(*) from session_events where user_id = %s and source = 'client'"
    assert connection.execute(count, [user]).fetchone() == (sum(len(s.marks) for s in schedule.sessions),), seed


def _set_clock(connection: psycopg.Connection[Any], moment: datetime) -> None:
    connection.execute("update internal.test_clock set frozen = %s", [moment])


def _account(connection: psycopg.Connection[Any], zone: str) -> str:
    row = connection.execute(
        """insert into auth.users (id, email, raw_user_meta_data)
           values (gen_random_uuid(), %(name)s || '@example.test', jsonb_build_object('username', %(name)s::text))
           returning id::text""",
        {"name": f"y_{uuid.uuid4().hex[:20]}"},
    ).fetchone()
    assert row is not None
    connection.execute("update profiles set timezone = %s where user_id = %s", [zone, row[0]])
    user: str = row[0]
    return user


@pytest.mark.parametrize("part", range(2))
def test_random_schedules_end_as_the_model(sql: psycopg.Connection[Any], clock: DatabaseClock, part: int) -> None:
    """Same sessions, XP and streaks; nothing lost, nothing doubled; repeats carry the first outcome."""
    clock.freeze(NOW)
    size = SCHEDULES // 2
    for seed in range(part * size, (part + 1) * size):
        run_schedule(sql, seed)


def test_batches_at_once_end_as_one_after_the_other(
    backends: Backends, sql: psycopg.Connection[Any], clock: DatabaseClock
) -> None:
    """The same overlapping batches sent by eight workers at once: every event once."""
    clock.freeze(NOW)
    assert backends.dsn is not None
    errors: list[BaseException] = []
    for seed in range(1_000_000, 1_000_010):
        dice = random.Random(seed)
        schedule = Schedule(dice)
        user = _account(sql, "UTC")
        queue = [e for s in schedule.sessions for e in s.events(timedelta(), with_ids=True)]
        start = threading.Barrier(WORKERS)

        def work(queue: list[Any] = queue, user: str = user, start: threading.Barrier = start) -> None:
            try:
                with psycopg.connect(backends.dsn, autocommit=True) as connection:
                    start.wait()
                    apply(connection, user, queue, timedelta())
            except BaseException as error:  # noqa: BLE001  # shown by the assertion below
                errors.append(error)

        workers = [threading.Thread(target=work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert errors == []
        _compare(sql, seed, user, schedule, "UTC")
    assert violations(sql) == []
