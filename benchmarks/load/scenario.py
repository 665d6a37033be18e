"""The locustfile: students who register, sign in, study, view leaderboards, meet in spaces and sync.

    python -m locust -f benchmarks/load/scenario.py --headless -u 10 -r 10 -H http://localhost:8000

`benchmarks.load.drive` starts it and configures it through environment variables: LOAD_RECORD (the file to write to),
LOAD_CLIENTS (their number), LOAD_WARM and LOAD_SECONDS (seconds to warm up, and then to measure; without LOAD_SECONDS
it runs until a signal), LOAD_PAUSE (mean seconds between a client's activities), LOAD_PERSISTENCE and LOAD_REPEATS (see
`Asker`).
"""

from __future__ import annotations

import os
import random
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, task

from benchmarks.load.asking import Answer, Asker, Data, Write
from benchmarks.load.record import Measured, Recorder

CLIENTS = int(os.environ.get("LOAD_CLIENTS", "1"))
SECONDS = float(os.environ.get("LOAD_SECONDS", "0"))
WARM_SECONDS = float(os.environ.get("LOAD_WARM", "0"))
PAUSE = float(os.environ.get("LOAD_PAUSE", "0"))
_RECORDER = Recorder(Path(os.environ.get("LOAD_RECORD", os.devnull)))
_OVER = ("SESSION_NOT_ACTIVE", "NOT_FOUND")  # the server closed the session after its clock was moved
_PASSWORD = "correct horse 1"

_spaces: list[str] = []  # ids of the spaces that clients created, for others to join
_ready = [0]


class Student(FastHttpUser):
    """A client, which waits for each answer before it sends the next request."""

    connection_timeout = 5.0
    network_timeout = 35.0  # API Gateway times out after 30
    max_retries = 0

    def wait_time(self) -> float:
        """Return the pause between two activities in seconds."""
        return random.uniform(0.5, 1.5) * PAUSE

    def on_start(self) -> None:
        """Register and create a space; the last client to do so starts the measurement."""
        self._asker = Asker(
            self.client,
            _RECORDER,
            persistence=float(os.environ.get("LOAD_PERSISTENCE", "0")),
            repeats=float(os.environ.get("LOAD_REPEATS", "0")),
        )
        self._offline_from = datetime.now(UTC) - timedelta(hours=1)
        while not self._register(self._asker):
            time.sleep(0.2)
        name = f"Room {uuid.uuid4()}"
        body = {"name": name, "visibility": "public", "capacity": 500}
        write = Write("space", "POST /spaces/create", "/spaces/create", {"name": name}, body, keep=("space_id",))
        made = self._asker.write(write)
        self._own_space = made.data.get("space_id")
        if made.good:
            _spaces.append(made.data["space_id"])
        _ready[0] += 1
        if _ready[0] == CLIENTS and SECONDS:
            gevent.spawn(self._measure)

    @task(6)
    def study(self) -> None:
        """Run one session, with the reads that an app makes around it."""
        session = str(uuid.uuid4())
        started = self._start(session)
        if started.code == "SESSION_ALREADY_ACTIVE":
            session = started.details["session_id"]
        elif not started.good:
            return
        self._asker.read("GET /gamification/badges")
        self._beat(session)
        self._record_note(session)
        self._asker.read("GET /sessions/active")
        self._beat(session)
        done = self._complete(session)
        self._asker.read("GET /gamification/badges")
        self._see_own_write(done)

    @task(3)
    def look_around(self) -> None:
        """Read a leaderboard, the profile, streaks and XP history."""
        period = random.choice(("weekly", "monthly", "all-time"))
        self._asker.read("GET /gamification/leaderboard/{period}", f"/gamification/leaderboard/{period}")
        self._asker.read("GET /users/me")
        self._asker.read("GET /gamification/streaks/me")
        self._asker.read("GET /gamification/xp/history/me")

    @task(2)
    def meet(self) -> None:
        """Join another client's space, read its members and activity, and leave."""
        others = [space for space in _spaces if space != self._own_space]
        if not others:
            return
        space = random.choice(others)
        if self._in_space("join", space).good:
            self._asker.read("GET /spaces/{id}/members", f"/spaces/{space}/members")
            self._asker.read("GET /spaces/{id}/activity", f"/spaces/{space}/activity")
            self._in_space("leave", space)

    @task(2)
    def come_back_online(self) -> None:
        """Sync a 30-minute offline session, each 35 minutes before the previous one, then fetch changes."""
        self._offline_from -= timedelta(minutes=35)
        session, start = str(uuid.uuid4()), self._offline_from
        kinds = [("start", 0), *(("heartbeat", minute) for minute in range(5, 30, 5)), ("complete", 30)]
        events = [
            {
                "event_id": str(uuid.uuid4()),
                "session_id": session,
                "event_type": kind,
                "created_at": (start + timedelta(minutes=minute)).isoformat(),
            }
            for kind, minute in kinds
        ]
        of = {"session": session, "events": [event["event_id"] for event in events]}
        body = {"events": events, "client_id": "phone"}
        keep = ("rejected_count", "sessions")
        self._asker.write(Write("sync", "POST /sync/offline", "/sync/offline", of, body, keyed=False, keep=keep))
        self._asker.read("GET /sync/changes")

    @task(1)
    def sign_in(self) -> None:
        """Sign in as the same student, as from another device."""
        body = {"email": self._email, "password": _PASSWORD}
        answer = self._asker.post("POST /auth/login", "/auth/login", body)
        if answer.good:
            self._asker.token = answer.data["token"]

    @task(1)
    def bring_a_friend(self) -> None:
        """Register another account."""
        friend = Asker(self.client, _RECORDER, persistence=self._asker.persistence, repeats=0)
        self._register(friend)

    def _register(self, asker: Asker) -> bool:
        name = f"s_{uuid.uuid4().hex[:20]}"
        body = {"username": name, "email": f"{name}@example.test", "password": _PASSWORD}
        keep = ("user_id",)
        write = Write("account", "POST /auth/register", "/auth/register", {"username": name}, body, keep=keep)
        answer = asker.write(write)
        if answer.good:
            asker.user, asker.token = answer.data["user_id"], answer.data["token"]
            if asker is self._asker:
                self._email = body["email"]
        return answer.good

    def _start(self, session: str) -> Answer:
        body = {"duration_minutes": 25, "session_id": session, "subject": "Biology"}
        refusals = ("SESSION_ALREADY_ACTIVE",)
        of = {"session": session}
        return self._asker.write(
            Write("start", "POST /sessions/start", "/sessions/start", of, body, keyed=False, refusals=refusals)
        )

    def _beat(self, session: str) -> None:
        self._of_session("heartbeat", session, {"session": session})

    def _record_note(self, session: str) -> None:
        mark = str(uuid.uuid4())
        body = {"event_type": "note", "payload": {"mark": mark}}
        self._of_session("audit", session, {"session": session, "mark": mark}, body)

    def _complete(self, session: str) -> Answer:
        keep = ("xp_awarded", "total_xp")
        return self._of_session("complete", session, {"session": session}, {"efficiency": 90}, keep, keyed=False)

    def _of_session(
        self,
        what: str,
        session: str,
        of: Data,
        body: Data | None = None,
        keep: tuple[str, ...] = (),
        *,
        keyed: bool = True,
    ) -> Answer:
        name, path = f"POST /sessions/{{id}}/{what}", f"/sessions/{session}/{what}"
        return self._asker.write(Write(what, name, path, of, body or {}, keyed=keyed, keep=keep, refusals=_OVER))

    def _in_space(self, what: str, space: str) -> Answer:
        name, path = f"POST /spaces/{{id}}/{what}", f"/spaces/{space}/{what}"
        keep = ("role",) if what == "join" else ()
        return self._asker.write(Write(what, name, path, {"space": space}, keep=keep))

    def _see_own_write(self, done: Answer) -> None:
        """Check that XP acknowledged a moment ago is in the next answer."""
        seen = self._asker.read("GET /gamification/xp/me")
        if done.good and seen.good and seen.data["total_xp"] < done.data["total_xp"]:
            self._asker.object("GET /gamification/xp/me", "own XP missing from the next read")

    def _measure(self) -> None:
        gevent.sleep(WARM_SECONDS)
        begin = time.time()
        _RECORDER.write(Measured(begin, 0.0))
        gevent.sleep(SECONDS)
        _RECORDER.write(Measured(begin, time.time()))
        runner: Any = self.environment.runner
        runner.quit()
