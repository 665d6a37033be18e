"""Chains of sessions that wait for each other or give way to each other, online and offline."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from testing.account import MINUTE, Account, beats, session
from testing.clock import DatabaseClock
from testing.offline import event
from testing.timeline import violations

TEN = datetime(2033, 6, 15, 10, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def account(sql: psycopg.Connection[Any], clock: DatabaseClock) -> Account:
    """An account, a minute before ten."""
    clock.freeze(TEN - MINUTE)
    return Account(sql, clock)


def test_a_retried_completion_can_give_way(account: Account, sql: psycopg.Connection[Any]) -> None:
    """A completion that was rejected, and applied on a retry, loses its time to an earlier end of the same client."""
    seconds = timedelta(seconds=1)
    short = session(TEN, 100 / 60)
    account.send(session(TEN, 30), TEN + HOUR, client_id="a")
    assert account.send(short, client_id="b")["codes"][-1] == "SESSION_OVERLAP"
    account.send(session(TEN + 100 * seconds, 28), client_id="a")  # the first one gives way, the short one is free
    account.call("retry_rejected_event", event_id=short[-1]["event_id"])
    assert account.session(short[0]["session_id"])["status"] == "completed"
    account.send(session(TEN, 99.5 / 60), client_id="b")
    assert account.session(short[0]["session_id"])["status"] == "abandoned"
    assert account.send(short[-1:], client_id="b")["codes"] == ["SESSION_OVERLAP"]
    assert violations(sql) == []


@pytest.mark.parametrize("by", ["offline", "online"])
def test_a_waiting_start_is_judged_when_another_start_ends_what_it_waited_for(
    account: Account, sql: psycopg.Connection[Any], by: str
) -> None:
    """The online session that had gone on is closed by a third session's start, not by its own end."""
    running = account.start(TEN, 60)
    for minute in range(2, 31, 2):
        account.beat(running, TEN + minute * MINUTE)
    waiting = str(uuid.uuid4())
    codes = account.send([event("start", waiting, TEN + 10 * MINUTE)], TEN + 31 * MINUTE)["codes"]
    assert codes == ["SESSION_ALREADY_ACTIVE"]
    if by == "offline":
        account.send(session(TEN + 40 * MINUTE, 10), TEN + 51 * MINUTE)
    else:
        account.start(TEN + 2 * HOUR)
    assert account.session(running)["status"] != "active"
    assert account.session(waiting)["status"] == "active"
    assert violations(sql) == []


@pytest.mark.parametrize("late", ["beats", "break"])
def test_the_end_moves_back_with_what_counts(account: Account, sql: psycopg.Connection[Any], late: str) -> None:
    """Late beats use up the 12 hours earlier, and a late break takes the end away: as if they had come at first."""
    session_id = str(uuid.uuid4())
    start = event("start", session_id, TEN, event_payload={"duration_minutes": 60})
    done = event("complete", session_id, TEN + 16 * HOUR)
    every = beats(session_id, TEN, 15 * 60, 4)
    held_back = {"beats": every[:100], "break": [event("break_start", session_id, TEN + 8 * HOUR)]}[late]
    first = [start, *(beat for beat in every if beat not in held_back), done]
    account.send(first, TEN + 17 * HOUR)
    account.send(held_back)
    shown = account.session(session_id)
    hours = {"beats": 12, "break": 8}[late]
    assert datetime.fromisoformat(shown["ended_at"]) - TEN == hours * HOUR
    assert shown["focus_seconds"] == hours * 3600
    assert violations(sql) == []


def test_what_a_session_paid_moves_with_its_local_day(sql: psycopg.Connection[Any], clock: DatabaseClock) -> None:
    """Late beats use up the 12 hours before a local midnight that is none in UTC."""
    clock.freeze(TEN + 17 * HOUR)
    account = Account(sql, clock, "Asia/Tokyo")  # midnight is at 15:00
    first, session_id = TEN - 8 * HOUR, str(uuid.uuid4())
    every = beats(session_id, first, 15 * 60, 4)
    done = event("complete", session_id, first + 16 * HOUR)
    account.send([event("start", session_id, first), *every[50:], done])
    account.send(every[:50])
    paid = """select day::text, sum(amount)::integer from xp_ledger where user_id = %s and milestone is null
              group by 1 having sum(amount) <> 0"""
    assert sql.execute(paid, [account.user_id]).fetchall() == [("2033-06-15", 12 * 60 + 10 + 20)]
    assert violations(sql) == []


@pytest.mark.parametrize("order", [*itertools.permutations(["early", "late", "others"])])
def test_a_short_session_that_grows_makes_room_for_another(
    account: Account, sql: psycopg.Connection[Any], order: tuple[str, ...]
) -> None:
    """Six short sessions of a day, one of which gets a later completion, pay 6 XP in every order of arrival."""
    grows, *others = [session(TEN + n * 10 * MINUTE, 50 / 60) for n in range(6)]
    parts = {
        "early": grows,
        "late": [event("complete", grows[0]["session_id"], TEN + timedelta(seconds=80))],
        "others": [each for some in others for each in some],
    }
    for name in order:
        account.send(parts[name], TEN + 3 * HOUR)
    assert account.xp == 6
    assert violations(sql) == []
