"""Random histories of a student: what happened offline on two devices, and how it reached the server."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from testing.account import Account, Event
from testing.clock import DatabaseClock
from testing.model import HOUR, MINUTE, Calendar, Student

# The last moments of histories of up to two weeks: in a usual week, after the end of a year, on the last day of an ISO
# week 53, around clock changes in New York, Berlin and Casablanca, a leap day, and the date that Apia skipped.
ENDS = [
    datetime(2033, 6, 15, 12, tzinfo=UTC), datetime(2033, 1, 1, 9, tzinfo=UTC), datetime(2027, 1, 3, 22, tzinfo=UTC),
    datetime(2026, 3, 9, 3, tzinfo=UTC), datetime(2026, 11, 2, 4, tzinfo=UTC), datetime(2026, 10, 26, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 22, tzinfo=UTC), datetime(2026, 2, 16, 2, tzinfo=UTC), datetime(2028, 3, 1, 1, tzinfo=UTC),
    datetime(2012, 1, 1, 11, tzinfo=UTC),
]  # fmt: skip
ZONES = [
    "UTC", "America/New_York", "Europe/Berlin", "Africa/Casablanca", "Pacific/Apia", "Asia/Tokyo", "Asia/Kathmandu",
    "Pacific/Kiritimati", "Pacific/Pago_Pago",
]  # fmt: skip


@dataclass
class Told:
    """An event as a device keeps it until it is sent.

    Attributes:
        event: The event; its `created_at` is by the device's clock.
        device: 0 or 1.
        happened: The true time of the event.
    """

    event: Event
    device: int
    happened: datetime


@dataclass
class History:
    """Up to two weeks of a student: one session after another, on two devices.

    Attributes:
        dice: Source of randomness.
        strict: For strict suspicion mode: exact clocks, and no events that look made up.
        exact: Whether both clocks are exact; otherwise each may be off by up to 10 minutes.
        told: All events, in the order in which they happened.
    """

    dice: random.Random
    strict: bool = False
    exact: bool = False
    told: list[Told] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = self.dice
        self.end = dice.choice(ENDS)
        self.zone = dice.choice(ZONES)
        self.offsets = [0 if self.strict or self.exact else dice.choice([0, 0, 0, 7, -90, 600, -600]) for _ in range(2)]
        at = self.end - timedelta(days=dice.choice([1, 2, 4, 14]), minutes=dice.randint(0, 1440))
        while at < self.end - 16 * HOUR and len(self.told) < 120:
            at = self._add_session(at)
        self.moves = [
            (self.end - timedelta(hours=dice.uniform(0, 14 * 24)), dice.choice(ZONES))
            for _ in range(dice.choice([0, 0, 1, 3]))
        ]

    def _add_session(self, at: datetime) -> datetime:
        dice, session_id, device, now = self.dice, str(uuid.uuid4()), self.dice.randint(0, 1), at
        planned = dice.choice([1, 10, 25, 60])
        self._tell(device, now, "start", session_id, event_payload={"duration_minutes": planned})
        for _ in range(dice.choice([0, 1, 2, 3, 12, 30])):
            # Strict mode holds sessions that look made up, so there the shortest steps are left out.
            steps = [0, 1, 61, 119, 241, 299, 300, 301, 660, 1300][2 if self.strict else 0 :]
            now += timedelta(seconds=dice.choice(steps) + dice.random())
            kinds = ["heartbeat"] * 6 + ["focus_start", "focus_end", "break_start", "break_end"]
            if not self.strict and dice.random() < 0.05:  # a break ends and begins at the same moment
                self._tell(device, now, "break_end", session_id)
                self._tell(device, now, "break_start", session_id)
            self._tell(device, now, dice.choice(kinds), session_id)
        now += timedelta(seconds=dice.choice([0, 1, 59, 60, 240, 300, 4000]))
        ending = dice.choices(["complete", "abandon", "both", ""], weights=[10, 1, 1, 2])[0]
        for kind in ("abandon", "complete"):
            if ending in (kind, "both"):
                self._tell(device, now, kind, session_id)
        pauses = [0, 1, 700, 4000, 20_000, 80_000, 90_000]
        return now + timedelta(seconds=dice.choice(pauses) + (0 if ending else 300))

    def _tell(self, device: int, at: datetime, kind: str, session_id: str, **more: Any) -> None:
        created = at + timedelta(seconds=-self.offsets[device])
        event = {
            "event_id": str(uuid.uuid4()), "session_id": session_id, "event_type": kind,
            "created_at": created.isoformat(), **more,
        }  # fmt: skip
        self.told.append(Told(event, device, at))

    def batches(self, dice: random.Random) -> list[tuple[datetime, int, list[Told]]]:
        """Return one way in which the events may arrive: in batches, some of them shuffled, repeated or delayed.

        Returns:
            (time of arrival, device, events) of each batch, in order of arrival.
        """
        sent = []
        for device in (0, 1):
            queue = [told for told in self.told if told.device == device]
            if dice.random() < 0.3:
                dice.shuffle(queue)
            while queue:
                size = dice.choice([1, 2, 5, 20, 100])
                batch, queue = queue[:size], queue[size:]
                if dice.random() < 0.3:
                    dice.shuffle(batch)
                happened = max(told.happened for told in batch)
                at = happened + (self.end - happened) * dice.choice([0.0, 0.0, 0.1, 0.9, 1.0])
                sent.append((at, device, batch))
                if dice.random() < 0.2:
                    sent.append((at + (self.end - at) * dice.random(), device, batch))
        return sorted(sent, key=lambda each: each[0])


def play(history: History, deliver: random.Random, account: Account, schedules: int) -> Student:
    """Deliver a history to an account in one random way, and to the model as well.

    Args:
        history: What happened.
        deliver: Source of randomness for the delivery.
        account: The account in the database.
        schedules: How often the schedule runs at random times; it runs once more at the end.

    Returns:
        The model's student, to compare with the account.
    """
    student = Student(Calendar(account.zone))
    moves = sorted(history.moves)
    runs = sorted(history.end - timedelta(hours=deliver.uniform(0, 14 * 24)) for _ in range(schedules))
    actions: list[tuple[datetime, int, Any]] = [
        *((at, 0, zone) for at, zone in moves), *((at, 1, None) for at in runs),
        *((at, 2, (device, batch)) for at, device, batch in history.batches(deliver)),
        (history.end + 70 * MINUTE, 1, None),
    ]  # fmt: skip
    seen: set[str] = set()
    for at, kind, what in sorted(actions, key=lambda action: action[:2]):
        if kind == 0:
            account.move(what, at)
            student.calendar.change(at, what, bool(student.days()))
        elif kind == 1:
            account.run_schedule(at)
            student.run_schedule(at)
        else:
            _deliver(history, account, student, seen, at, *what)
    return student


def _deliver(
    history: History, account: Account, student: Student, seen: set[str], at: datetime, device: int, batch: list[Told]
) -> None:
    offset = history.offsets[device]
    sent_at = (at - timedelta(seconds=offset)).isoformat()
    answer = account.send([told.event for told in batch], at, client_id=f"device {device}", sent_at=sent_at)
    assert answer["clock_offset_seconds"] == offset, (answer, offset)
    for told in sorted(batch, key=lambda told: told.happened):
        if told.event["event_id"] not in seen:
            seen.add(told.event["event_id"])
            planned = told.event.get("event_payload", {}).get("duration_minutes", 25)
            kind, session_id = told.event["event_type"], told.event["session_id"]
            student.tell(kind, session_id, told.happened, f"device {device}", planned, at)
    student.settle()


def state_of(connection: psycopg.Connection[Any], account: Account, end: datetime) -> dict[str, Any]:
    """Return the state of an account in the database, in the form of `state_by_model`."""
    sessions = connection.execute(
        "select session_id::text, status, focus_seconds from study_sessions where user_id = %s", [account.user_id]
    ).fetchall()
    stats = connection.execute(
        "select total_xp, best_streak, completed_sessions, xp_by_source from user_stats where user_id = %s",
        [account.user_id],
    ).fetchone()
    assert stats is not None
    days = connection.execute(
        "select day, focus_seconds, streak from study_days where user_id = %s and focus_seconds > 0", [account.user_id]
    ).fetchall()
    boards = connection.execute(
        """select b.period, s.xp from leaderboard_scores s join leaderboards b using (board_id)
           where s.user_id = %s and b.space_id is null and b.period_start <= %s and b.period_end > %s""",
        [account.user_id, end.date(), end.date()],
    ).fetchall()
    badges = connection.execute("select badge_key from user_badges where user_id = %s", [account.user_id]).fetchall()
    return {
        "sessions": {row[0]: row[1:] for row in sessions},
        "xp": stats[0], "best_streak": stats[1], "completed": stats[2],
        "by_source": {source: amount for source, amount in stats[3].items() if amount},
        "days": {row[0]: (timedelta(seconds=float(row[1])), row[2]) for row in days},
        "boards": dict(boards), "badges": {row[0] for row in badges},
    }  # fmt: skip


def state_by_model(student: Student, end: datetime) -> dict[str, Any]:
    """Return the state that the model computes from the contract, for the board periods that contain `end`."""
    by_source = student.xp_by_source()
    days = student.days()
    week = datetime.combine(end.date() - timedelta(days=end.weekday()), datetime.min.time(), UTC)
    month = datetime(end.year, end.month, 1, tzinfo=UTC)
    boards = {
        "weekly": student.board(week, week + timedelta(days=7)),
        "monthly": student.board(month, datetime(end.year + end.month // 12, end.month % 12 + 1, 1, tzinfo=UTC)),
        "all-time": sum(by_source.values()),
    }
    xp, best = sum(by_source.values()), student.best_streak()
    badges = {
        "first_session": len(student.paid_sessions) >= 1, "50_sessions": len(student.paid_sessions) >= 50,
        "7_day_streak": best >= 7, "10_hour_grind": max(days.values(), default=timedelta()) >= 10 * HOUR,
        "level_5": xp >= 400, "level_10": xp >= 900, "100_xp": xp >= 100, "1000_xp": xp >= 1000, "5000_xp": xp >= 5000,
    }  # fmt: skip
    return {
        "sessions": {
            s.session_id: (s.status, int(_seconds(s.paid or []))) if s.paid is not None else (s.status, None)
            for s in student.sessions.values()
        },
        "xp": xp, "best_streak": best, "completed": len(student.paid_sessions), "by_source": by_source,
        "days": {day: (time, student.streak_ending(day)) for day, time in days.items()},
        "boards": {period: amount for period, amount in boards.items() if amount},
        "badges": {badge for badge, earned in badges.items() if earned},
    }  # fmt: skip


def _seconds(time: list[tuple[datetime, datetime]]) -> float:
    return sum((end - start).total_seconds() for start, end in time)


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Return a line of text for each difference between the database and the model."""
    wrong = [
        f"session {session_id}: {found['sessions'].get(session_id)}, by the model {state}"
        for session_id, state in expected["sessions"].items()
        if found["sessions"].get(session_id, (None, None))[0] != state[0]
        or (state[1] is not None and found["sessions"][session_id][1] != state[1])
    ]
    return wrong + [
        f"{name}: {found[name]}, by the model {expected[name]}"
        for name in expected
        if name != "sessions" and found[name] != expected[name]
    ]


def make_account(connection: psycopg.Connection[Any], clock: DatabaseClock, history: History) -> Account:
    """Create the account that a history is delivered to, with the clock stopped 30 days before its end."""
    clock.freeze(history.end - timedelta(days=30))
    return Account(connection, clock, history.zone, "strict" if history.strict else "soft")
