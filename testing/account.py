"""A student's account, used through the database's functions as services call them, at a stopped clock."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb

from sync.events import read_event
from testing.clock import DatabaseClock
from testing.offline import event

MINUTE = timedelta(minutes=1)
Event = dict[str, Any]


def beats(session_id: str, start: datetime, until: float, every: float = 2) -> list[Event]:
    """Return heartbeats every `every` minutes, up to `until` minutes after the start."""
    count = int(until / every)
    return [event("heartbeat", session_id, start + n * every * MINUTE) for n in range(1, count + 1)]


def session(start: datetime, minutes: float, planned: int = 25, **more: Any) -> list[Event]:
    """Return the events of a whole session: start, heartbeats until a minute before the end, completion."""
    session_id = more.get("session_id") or str(uuid.uuid4())
    return [
        event("start", session_id, start, event_payload={"duration_minutes": planned}),
        *beats(session_id, start, minutes - 1),
        event("complete", session_id, start + minutes * MINUTE),
    ]


@dataclass
class Account:
    """An account in the database, dated back to 2005 so that no event is older than it.

    Attributes:
        zone: Its time zone at first.
        mode: The suspicion mode of its calls, "soft" or "strict".
        user_id: Its id, chosen by the database.
    """

    connection: psycopg.Connection[Any]
    clock: DatabaseClock
    zone: str = "UTC"
    mode: str = "soft"
    user_id: str = field(init=False)

    def __post_init__(self) -> None:
        row = self.connection.execute(
            """insert into auth.users (id, email, raw_user_meta_data)
               values (gen_random_uuid(), %(name)s || '@example.test', jsonb_build_object('username', %(name)s::text))
               returning id::text""",
            {"name": f"y_{uuid.uuid4().hex[:20]}"},
        ).fetchone()
        assert row is not None
        self.user_id = row[0]
        self.connection.execute(
            "update profiles set timezone = %s, created_at = '2005-01-01' where user_id = %s", [self.zone, self.user_id]
        )

    def call(self, function: str, at: datetime | None = None, **arguments: Any) -> Any:
        """Call a function of the API at a moment; None leaves the clock where it is."""
        if at is not None:
            self.clock.freeze(at)
        query = f"select {function}(%s, %s)"
        row = self.connection.execute(query, [self.user_id, Jsonb({**arguments, "mode": self.mode})]).fetchone()
        assert row is not None
        return row[0]

    def send(self, events: list[Event], at: datetime | None = None, **more: Any) -> dict[str, Any]:
        """Send a batch and return its answer, with the error code of each result (or None) in `codes`."""
        read = [read_event(raw, UUID(self.user_id)) for raw in events]
        answer: dict[str, Any] = self.call("sync_offline", at, events=read, **more)
        answer["codes"] = [result["error_code"] for result in answer["results"]]
        return answer

    def start(self, at: datetime, minutes: int = 25) -> str:
        """Start a session online and return its id."""
        session_id = str(uuid.uuid4())
        self.call("start_session", at, session_id=session_id, duration_minutes=minutes)
        return session_id

    def beat(self, session_id: str, at: datetime) -> None:
        """Send a heartbeat online."""
        self.call("record_session_event", at, session_id=session_id, event_id=str(uuid.uuid4()), event_type="heartbeat")

    def complete(self, session_id: str, at: datetime) -> dict[str, Any]:
        """Complete a session online and return its outcome."""
        outcome: dict[str, Any] = self.call("complete_session", at, session_id=session_id)
        return outcome

    def run_schedule(self, at: datetime) -> None:
        """Run the schedule until it has closed all silent sessions, including those that other tests left."""
        self.clock.freeze(at)
        query = """select closed ->> 'completed' = '0' and closed ->> 'abandoned' = '0' and closed ->> 'postponed' = '0'
                   from close_silent_sessions(%s, 200) closed"""
        while self.connection.execute(query, [self.mode]).fetchone() == (False,):
            pass

    def move(self, zone: str, at: datetime) -> None:
        """Change the profile's time zone."""
        self.call("update_profile", at, timezone=zone)

    def session(self, session_id: str) -> dict[str, Any]:
        """Return a session as the API shows it."""
        row = self.connection.execute("select get_session(%s, %s)", [self.user_id, session_id]).fetchone()
        assert row is not None
        shown: dict[str, Any] = row[0]
        return shown

    def profile(self) -> dict[str, Any]:
        """Return the account's profile as its owner sees it."""
        row = self.connection.execute("select get_profile(%(id)s, %(id)s)", {"id": self.user_id}).fetchone()
        assert row is not None
        shown: dict[str, Any] = row[0]
        return shown

    @property
    def xp(self) -> int:
        """The total XP."""
        total: int = self.profile()["xp"]
        return total

    @property
    def streak(self) -> int:
        """The current streak, in days."""
        days: int = self.profile()["current_streak"]
        return days
