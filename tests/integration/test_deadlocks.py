"""Every pair of writing calls, simultaneously on the same users, spaces and boards; deadlocks are detected after 1 ms.

`DEADLOCK_ROUNDS=200 make test ARGS="tests/integration/test_deadlocks.py"` runs each pair 200 times.
"""

from __future__ import annotations

import itertools
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from local.backends import Backends
from sync.events import read_event
from testing.account import session
from testing.clock import DatabaseClock
from testing.timeline import violations
from tests.integration.test_space_rules import make_accounts, make_spaces

ROUNDS = int(os.environ.get("DEADLOCK_ROUNDS", "1"))
NOW = datetime(2033, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EXPECTED = ("SS",)  # refusals of the contract, when the other call came first


class Scene:
    """Three students in two spaces; the first two own one each, and have a running session in it."""

    def __init__(self, sql: psycopg.Connection[Any]) -> None:
        self.ann, self.ben, self.cid = make_accounts(sql, 3)
        self.spaces = make_spaces(sql, [self.ann, self.ben])
        for space, owner in zip(self.spaces, (self.ann, self.ben), strict=True):
            for member in {self.ann, self.ben, self.cid} - {owner}:
                sql.execute("select join_space(%s, %s)", [member, Jsonb({"space_id": space})])
        self.running = {user: str(uuid.uuid4()) for user in (self.ann, self.ben)}
        for user, space in zip((self.ann, self.ben), self.spaces, strict=True):
            begin = {"session_id": self.running[user], "duration_minutes": 25, "space_id": space, "mode": "soft"}
            sql.execute("select start_session(%s, %s)", [user, Jsonb(begin)])
        self.batches = [self._batch(self.ann, self.spaces[1], 3), self._batch(self.ben, self.spaces[0], 3)]
        sql.execute("select sync_offline(%s, %s)", [self.ben, Jsonb(self.batches[1])])
        self.synced = self.batches[1]["events"][0]["session_id"]

    def _batch(self, user: str, space: str, hours: int) -> dict[str, Any]:
        events = session(NOW - hours * HOUR, 26)
        events[0]["event_payload"]["space_id"] = space
        return {"events": [read_event(each, UUID(user)) for each in events], "mode": "soft", "client_id": "phone"}


Call = Callable[[Scene], tuple[str, str, dict[str, Any]]]
CALLS: dict[str, Call] = {
    "complete": lambda s: ("complete_session", s.ann, {"session_id": s.running[s.ann], "mode": "soft"}),
    "complete too": lambda s: ("complete_session", s.ben, {"session_id": s.running[s.ben], "mode": "soft"}),
    "abandon": lambda s: ("abandon_session", s.ann, {"session_id": s.running[s.ann], "mode": "soft"}),
    "sync": lambda s: ("sync_offline", s.ann, s.batches[0]),
    "replay": lambda s: ("sync_offline", s.ben, s.batches[1]),
    "start": lambda s: (
        "start_session", s.cid,
        {"session_id": str(uuid.uuid4()), "duration_minutes": 25, "space_id": s.spaces[0], "mode": "soft"},
    ),
    "leave": lambda s: ("leave_space", s.cid, {"space_id": s.spaces[0]}),
    "ban": lambda s: ("remove_member", s.ann, {"space_id": s.spaces[0], "member_id": s.ben, "ban": True}),
    "ban back": lambda s: ("remove_member", s.ben, {"space_id": s.spaces[1], "member_id": s.ann, "ban": True}),
    "hand over": lambda s: (
        "change_member_role", s.ann, {"space_id": s.spaces[0], "member_id": s.ben, "role": "owner"},
    ),
    "join": lambda s: ("join_space", s.cid, {"space_id": s.spaces[1]}),
    "delete space": lambda s: ("delete_space", s.ann, {"space_id": s.spaces[0]}),
    "delete other space": lambda s: ("delete_space", s.ben, {"space_id": s.spaces[1]}),
    "move": lambda s: ("update_profile", s.ann, {"timezone": "Asia/Tokyo"}),
    "take back": lambda s: ("take_back_xp", s.ben, {"session_ids": [s.synced], "reason": "test"}),
    "heartbeat": lambda s: (
        "record_session_event", s.ann,
        {"event_id": str(uuid.uuid4()), "session_id": s.running[s.ann], "event_type": "heartbeat"},
    ),
    "rename space": lambda s: ("update_space", s.ann, {"space_id": s.spaces[0], "name": "Another"}),
}  # fmt: skip
# Like delete_account after a recent sign-in, and Supabase's own pages.
DELETIONS: dict[str, Callable[[Scene], str]] = {
    "delete account": lambda s: s.ann,
    "delete other account": lambda s: s.ben,
}
SCHEDULES = [
    "close_silent_sessions('soft', 200)",
    "announce_lost_spaces()",
    "archive_sessions()",
    "backfill_badges()",
    "check_next_invariants()",
    "purge_space_activity()",
    "purge_sync_events()",
]


@pytest.fixture
def callers(backends: Backends, sql: psycopg.Connection[Any], clock: DatabaseClock) -> Iterator[list[Any]]:
    """Two connections with the shortest deadlock timeout."""
    clock.freeze(NOW)
    assert backends.dsn is not None
    made = [psycopg.connect(backends.dsn, autocommit=True) for _ in range(2)]
    for connection in made:
        connection.execute("set deadlock_timeout = '1ms'")
    yield made
    for connection in made:
        connection.close()


def at_once(connections: list[psycopg.Connection[Any]], statements: list[tuple[str, list[Any]]]) -> list[str]:
    """Run both simultaneously; returns the raised errors as SQLSTATE and text."""
    start, raised = threading.Barrier(2), []

    def run(connection: psycopg.Connection[Any], statement: str, arguments: list[Any]) -> None:
        start.wait()
        try:
            connection.execute(statement, arguments)
        except psycopg.Error as error:
            raised.append(f"{error.sqlstate} {error}")

    threads = [
        threading.Thread(target=run, args=[connection, *each])
        for connection, each in zip(connections, statements, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


def test_no_pair_of_calls_waits_in_a_circle(sql: psycopg.Connection[Any], callers: list[Any]) -> None:
    """Both calls succeed, or one is refused as the contract says, and all invariants hold."""
    names = [*CALLS, *DELETIONS, *SCHEDULES]
    for first, second in itertools.combinations_with_replacement(names, 2):
        for _ in range(ROUNDS):
            scene = Scene(sql)
            statements: list[tuple[str, list[Any]]] = []
            for name in (first, second):
                if name in CALLS:
                    function, user, arguments = CALLS[name](scene)
                    statements.append((f"select {function}(%s, %s)", [user, Jsonb(arguments)]))
                elif name in DELETIONS:
                    statements.append(("delete from auth.users where id = %s", [DELETIONS[name](scene)]))
                else:
                    statements.append((f"select {name}", []))
            raised = at_once(callers, statements)
            assert [error for error in raised if not error.startswith(EXPECTED)] == [], (first, second)
    assert violations(sql) == []
