"""Short histories of one client, delivered event by event in every order, have one result.

`PERMUTED_EVENTS=6 make test ARGS="tests/integration/test_sync_permutations.py"` includes histories of six events.
"""

from __future__ import annotations

import itertools
import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from testing.account import MINUTE, Account, Event
from testing.clock import DatabaseClock
from testing.histories import state_of
from testing.offline import event

AT_MOST = int(os.environ.get("PERMUTED_EVENTS", "4"))
START = datetime(2033, 6, 14, 23, 50, tzinfo=UTC)  # a Tuesday, ten minutes before midnight
NOW = START + timedelta(hours=3)
# (session, type, minutes after START)
HISTORIES = {
    "two ends": [("a", "start", 0), ("a", "complete", 4), ("a", "abandon", 5)],
    "two completions": [("a", "start", 0), ("a", "complete", 4), ("a", "complete", 4.5)],
    "ends in one moment": [("a", "start", 0), ("a", "heartbeat", 4), ("a", "complete", 8), ("a", "abandon", 8)],
    "over midnight": [("a", "start", 0), ("a", "heartbeat", 5), ("a", "heartbeat", 9.5), ("a", "complete", 13)],
    "a break of no time": [("a", "start", 0), ("a", "break_start", 2), ("a", "break_end", 2), ("a", "complete", 5)],
    "a break that goes on": [
        ("a", "start", 0), ("a", "break_start", 1), ("a", "break_end", 2), ("a", "break_start", 2),
    ],
    "the start behind its events": [
        ("a", "start", 0), ("a", "focus_start", -1 / 60_000), ("a", "complete", -1 / 60_000), ("a", "heartbeat", -2.01),
    ],
    "one after the other": [("a", "start", 0), ("a", "complete", 4), ("b", "start", 4), ("b", "complete", 9)],
    "neighbours that touch": [("a", "start", 0), ("a", "complete", 5), ("b", "start", 3.5), ("b", "complete", 8)],
    "a clock that was set back": [("a", "start", 0), ("a", "complete", 5), ("b", "start", 2), ("b", "complete", 7)],
    "one inside the other": [("a", "start", 0), ("a", "complete", 5), ("b", "start", 1), ("b", "complete", 4)],
    "a double tap": [("a", "start", 0), ("a", "complete", 5), ("b", "start", 0.1), ("b", "complete", 5.1)],
    "left behind": [("a", "start", 0), ("a", "heartbeat", 4), ("b", "start", 6), ("b", "complete", 10)],
    "five: breaks": [
        ("a", "start", 0), ("a", "break_start", 1), ("a", "heartbeat", 2), ("a", "break_end", 3), ("a", "complete", 6),
    ],
    "six: clocks": [
        ("a", "start", 0), ("a", "heartbeat", 4), ("a", "complete", 8), ("b", "start", 5), ("b", "heartbeat", 9),
        ("b", "complete", 12),
    ],
    "six: three taps": [
        ("a", "start", 0), ("a", "complete", 4), ("b", "start", 0.1), ("b", "complete", 4.1), ("c", "start", 1),
        ("c", "complete", 9),
    ],
    "six: everything": [
        ("a", "start", 0), ("a", "break_start", 3), ("a", "break_end", 3), ("a", "heartbeat", 5), ("a", "complete", 9),
        ("a", "abandon", 9),
    ],
}  # fmt: skip


def outcome(sql: psycopg.Connection[Any], account: Account, events: list[Event]) -> dict[str, Any]:
    """Deliver the events one by one, then all again; returns the resulting state."""
    for each in events:
        account.send([each], NOW, client_id="phone")
    again = sorted(events, key=lambda each: str(each["event_id"]))
    answers = account.send(again, client_id="phone")["codes"]
    account.run_schedule(NOW + 90 * MINUTE)
    ends = "select session_id, ended_at, clipped_seconds, end_reason from study_sessions where user_id = %s order by 1"
    trail = """select session_id, event_type, occurred_at from session_events where user_id = %s
               order by 1, 3, 2"""
    return {
        "answers": answers, **state_of(sql, account, NOW),
        "ends": sql.execute(ends, [account.user_id]).fetchall(),
        "trail": sql.execute(trail, [account.user_id]).fetchall(),
    }  # fmt: skip


@pytest.mark.parametrize("name", [name for name, history in HISTORIES.items() if len(history) <= AT_MOST])
def test_every_order_ends_in_one_state(sql: psycopg.Connection[Any], clock: DatabaseClock, name: str) -> None:
    """In every order sessions, credit, XP, days, boards, badges, the trail and the answers are the same."""
    clock.freeze(NOW)
    account = Account(sql, clock)
    ids = {letter: str(uuid.UUID(int=ord(letter), version=4)) for letter in "abc"}
    events = [
        event(
            kind,
            ids[which],
            START + minutes * MINUTE,
            event_payload={"duration_minutes": 10} if kind == "start" else {},
        )
        for which, kind, minutes in HISTORIES[name]
    ]
    first: dict[str, Any] | None = None
    for order in itertools.permutations(range(len(events))):
        with sql.transaction(force_rollback=True):
            found = outcome(sql, account, [events[n] for n in order])
        first = first or found
        wrong = {key: (found[key], first[key]) for key in first if found[key] != first[key]}
        assert not wrong, [HISTORIES[name][n] for n in order]
