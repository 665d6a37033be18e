"""Edge cases of sessions: silence, overlaps, late events and crashed apps. No session is lost to timing."""

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
    """An account, some hours after ten."""
    clock.freeze(TEN + 5 * HOUR)
    return Account(sql, clock)


def ended(shown: dict[str, Any]) -> timedelta:
    """The number of minutes after ten at which a session ended."""
    return datetime.fromisoformat(shown["ended_at"]) - TEN


def test_what_the_schedule_does_is_no_sign_of_life(account: Account) -> None:
    """A session closed by the schedule and reopened by one late heartbeat ends five minutes after that heartbeat."""
    first = account.start(TEN, 60)
    account.run_schedule(TEN + 62 * MINUTE)
    account.send([event("heartbeat", first, TEN + MINUTE)], TEN + 63 * MINUTE)
    account.run_schedule(TEN + 130 * MINUTE)
    assert (account.session(first)["status"], ended(account.session(first))) == ("abandoned", 6 * MINUTE)
    assert account.send(session(TEN + 1.5 * MINUTE, 25))["sessions"][0]["xp_awarded"] == 35


@pytest.mark.parametrize("told_late", [5, 15])
def test_an_abandonment_is_never_refused(account: Account, told_late: int) -> None:
    """Abandoning succeeds for a session that contains another one, before and after the schedule abandoned it."""
    account.send(session(TEN + HOUR, 6))
    paid, around = account.xp, str(uuid.uuid4())
    account.send([event("start", around, TEN), *beats(around, TEN, 24)])
    at = TEN + told_late * HOUR
    account.send([event("abandon", around, TEN + 90 * MINUTE)], at)
    account.run_schedule(at + 2 * HOUR)
    assert (account.session(around)["status"], account.xp) == ("abandoned", paid)


@pytest.mark.parametrize("early", [0.0, 0.001, 1.0, 119.0])
@pytest.mark.parametrize("kind", ["complete", "focus_start", "heartbeat", "break_start"])
@pytest.mark.parametrize("cut", ["one", "two", "reversed"])
def test_a_start_may_lie_a_little_behind_its_own_events(account: Account, early: float, kind: str, cut: str) -> None:
    """When two clocks of one phone differ, the start still begins its session, in any batch and order."""
    session_id = str(uuid.uuid4())
    start = event("start", session_id, TEN)
    other = event(kind, session_id, TEN - timedelta(seconds=early))
    batches = {"one": [[other, start]], "two": [[start], [other]], "reversed": [[other], [start]]}[cut]
    for batch in [*batches, [start, other]]:
        answer = account.send(batch)
    assert [result["status"] for result in answer["results"]] == ["duplicate", "duplicate"]
    status = "completed" if kind == "complete" else "active"
    assert (account.session(session_id)["status"], account.xp) == (status, int(kind == "complete"))
    assert account.send([event("heartbeat", session_id, TEN - timedelta(seconds=121))])["codes"] == [
        "EVENT_BEFORE_START"
    ]


def test_no_second_is_credited_twice_after_silence(account: Account, sql: psycopg.Connection[Any]) -> None:
    """The five minutes paid after a silent session's last sign of life are clipped from the session in that time."""
    first = account.start(TEN)
    for minute in range(2, 21, 2):
        account.beat(first, TEN + minute * MINUTE)
    account.run_schedule(TEN + 90 * MINUTE)
    answer = account.send(session(TEN + 20 * MINUTE, 25))
    (outcome,) = answer["sessions"]
    assert (outcome["focus_seconds"], outcome["clipped_seconds"]) == (1200, 300)
    assert account.session(first)["focus_seconds"] == 1500
    assert account.xp == 35 + 20
    assert violations(sql) == []


@pytest.mark.parametrize("order", [1, -1])
def test_the_daily_bonus_comes_with_whichever_session_reaches_it(account: Account, order: int) -> None:
    """Sessions of two hours less ten seconds and of forty seconds pay 150 XP in either order."""
    start = TEN - 5 * HOUR
    both = [session(start, 7190 / 60, 120), session(start + 3 * HOUR, 40 / 60)]
    for batch in both[::order]:
        account.send(batch)
    assert account.xp == 119 + 10 + 1 + 20


@pytest.mark.parametrize("first", ["phone", "schedule"])
def test_what_comes_after_silence_is_paid_as_if_it_had_been_there(
    account: Account, sql: psycopg.Connection[Any], first: str
) -> None:
    """Twenty minutes online and an hour offline pay 90 XP, whether the phone or the schedule came first."""
    session_id = account.start(TEN)
    for minute in range(2, 21, 2):
        account.beat(session_id, TEN + minute * MINUTE)
    rest = [*beats(session_id, TEN, 79)[10:], event("complete", session_id, TEN + 80 * MINUTE)]
    if first == "schedule":
        account.run_schedule(TEN + 85 * MINUTE)
        assert account.xp == 35
    for part in (rest[:3], rest[3:]):
        answer = account.send(part, TEN + 2 * HOUR)
    assert (account.xp, answer["sessions"][0]["xp_breakdown"]) == (90, {"session": 80, "focus_bonus": 10})
    sources = "select source::text, sum(amount) from xp_ledger where user_id = %s group by 1 order by 1"
    rows = dict(sql.execute(sources, [account.user_id]).fetchall())
    assert rows.get("rerating") == (55 if first == "schedule" else None)
    assert violations(sql) == []


@pytest.mark.parametrize("parts", [1, 2, 28])
def test_finishing_online_before_the_queue_is_flushed_costs_nothing(account: Account, parts: int) -> None:
    """56 minutes of queued events count when they arrive: the session pays 70 XP instead of 7."""
    session_id = account.start(TEN, 60)
    for minute in (2, 4):
        account.beat(session_id, TEN + minute * MINUTE)
    assert account.complete(session_id, TEN + 60 * MINUTE)["xp_awarded"] == 9
    queue = beats(session_id, TEN, 58)[2:]
    size = -(-len(queue) // parts)
    for part in itertools.batched(queue, size) if hasattr(itertools, "batched") else _parts(queue, size):
        account.send(list(part), TEN + 61 * MINUTE)
    assert (account.xp, account.session(session_id)["focus_seconds"]) == (70, 3600)


def _parts(queue: list[Any], size: int) -> list[list[Any]]:
    return [queue[n : n + size] for n in range(0, len(queue), size)]
