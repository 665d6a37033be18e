"""Edge cases of batches: clocks and delays, waiting events, crashed apps, reused ids."""

from __future__ import annotations

import time
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
    """An account at ten o'clock."""
    clock.freeze(TEN)
    return Account(sql, clock)


def offset(account: Account, behind: float, newest: float, at: datetime, client: str | None = "phone") -> int:
    """The correction of a batch whose clock is `behind` seconds slow and whose newest event is `newest` seconds old."""
    sent_at = at - timedelta(seconds=behind)
    created = event("heartbeat", str(uuid.uuid4()), sent_at - timedelta(seconds=newest))
    more = {"client_id": client} if client else {}
    seconds: int = account.send([created], at, sent_at=sent_at.isoformat(), **more)["clock_offset_seconds"]
    return seconds


@pytest.mark.parametrize(
    ("behind", "newest", "corrected"),
    [
        (0.2, 0, 0), (7, 3600, 7), (-7, 3600, -7), (25, 86_400, 25), (899, 86_400, 899), (-900, 86_400, -900),
        (901, 86_400, 0), (901, 301, 0), (901, 299, 901), (18_000, 0, 18_000), (18_000, 1800, 0), (86_400, 60, 86_400),
        (-901, 3600, 0), (-86_400, 3600, -86_400), (-86_400, 0, -86_400),
    ],
)  # fmt: skip
def test_a_large_correction_needs_a_batch_that_supports_it(
    account: Account, behind: float, newest: float, corrected: int
) -> None:
    """Up to 15 minutes are corrected; more only if the newest event is as new as claimed, or in the future."""
    assert offset(account, behind, newest, TEN) == corrected


def test_delay_is_no_clock(account: Account) -> None:
    """Each client's smallest difference of a day is its clock's; a batch without a client name counts alone."""
    assert [offset(account, behind, 0, TEN + n * MINUTE) for n, behind in enumerate((40, 8, 70, 8, 800))] == [
        40,
        8,
        8,
        8,
        8,
    ]
    assert offset(account, 5 * 3600, 0, TEN + HOUR) == 8  # kept by a proxy, and sent again byte for byte
    assert offset(account, 70, 0, TEN + HOUR, client="tablet") == 70
    assert offset(account, 70, 0, TEN + HOUR, client=None) == 70
    assert offset(account, 70, 0, TEN + 26 * HOUR) == 70  # a day later the clock may be wrong


def test_a_clock_that_was_put_right_is_believed(account: Account) -> None:
    """A phone that was a day ahead and is right now is no longer corrected by a day."""
    assert offset(account, -86_400, 0, TEN) == -86_400
    assert offset(account, 1, 0, TEN + MINUTE) == 1


@pytest.mark.parametrize("known", [True, False])
def test_a_request_that_was_kept_for_hours_moves_nothing(account: Account, *, known: bool) -> None:
    """The session keeps its time, for a known phone and for one whose batch was delayed."""
    if known:
        offset(account, 0, 0, TEN)
    batch = session(TEN - 2 * HOUR, 25)
    sent_at = TEN - 95 * MINUTE + (0 * MINUTE if known else 30 * MINUTE)
    answer = account.send(batch, TEN + 5 * HOUR, client_id="phone", sent_at=sent_at.isoformat())
    assert (answer["clock_offset_seconds"], answer["sessions"][0]["focus_seconds"]) == (0, 1500)
    assert datetime.fromisoformat(account.session(batch[0]["session_id"])["started_at"]) == TEN - 2 * HOUR


def test_a_dead_app_blocks_nothing(account: Account) -> None:
    """A session started online whose phone restarted is closed at its last sign of life by the next start."""
    first = account.start(TEN, 60)
    account.beat(first, TEN + 4 * MINUTE)
    second = session(TEN + 10 * MINUTE, 20)
    assert account.send(second[:3], TEN + 15 * MINUTE)["codes"] == [None] * 3
    shown = account.session(first)
    assert (shown["status"], datetime.fromisoformat(shown["ended_at"])) == ("abandoned", TEN + 4 * MINUTE)
    assert account.send(second[3:], TEN + 31 * MINUTE)["sessions"][0]["xp_awarded"] == 20
    late = [*beats(first, TEN, 9)[2:], event("complete", first, TEN + 9 * MINUTE)]
    assert account.send(late)["sessions"][0]["focus_seconds"] == 9 * 60


@pytest.mark.parametrize("end", ["complete", "abandon", "schedule", "sync"])
def test_a_start_beside_a_running_session_waits_for_its_end(account: Account, end: str) -> None:
    """Waiting events name the reason, and all are applied automatically when the other session ends."""
    running = account.start(TEN, 60)
    for minute in (4, 8, 12):
        account.beat(running, TEN + minute * MINUTE)
    other = session(TEN + 6 * MINUTE, 30)
    answer = account.send(other, TEN + 40 * MINUTE)
    assert set(answer["codes"]) == {"SESSION_ALREADY_ACTIVE"}
    if end == "schedule":
        account.run_schedule(TEN + 90 * MINUTE)
    elif end == "sync":
        account.send([event("complete", running, TEN + 13 * MINUTE)], TEN + 41 * MINUTE)
    else:
        account.call(f"{end}_session", TEN + 41 * MINUTE, session_id=running)
    again = account.send(other)
    assert {result["status"] for result in again["results"]} == {"duplicate"}
    assert account.session(other[0]["session_id"])["status"] == "completed"


def test_followers_of_a_start_that_was_refused_say_why(account: Account) -> None:
    """Events after a start that was too old or in the future have its code, and block no other session."""
    old = session(TEN - timedelta(days=30, minutes=10), 25)
    assert account.send([old[0]])["codes"] == ["EVENT_TOO_OLD"]
    late = event("complete", old[0]["session_id"], TEN - timedelta(days=29))
    assert account.send([late])["codes"] == ["EVENT_TOO_OLD"]
    ahead = [event("start", str(uuid.uuid4()), TEN + 3 * MINUTE)]
    ahead.append(event("heartbeat", ahead[0]["session_id"], TEN + MINUTE))
    assert account.send(ahead)["codes"] == ["EVENT_IN_FUTURE"] * 2
    assert account.send(session(TEN - HOUR, 25))["sessions"][0]["xp_awarded"] == 35


def test_of_many_waiting_events_none_is_lost(account: Account, sql: psycopg.Connection[Any]) -> None:
    """1,200 events sent once before their start are all applied."""
    session_id, began = str(uuid.uuid4()), TEN - 5 * HOUR
    waiting = beats(session_id, began, 240, every=0.2)
    for part in (waiting[:500], waiting[500:1000], waiting[1000:]):
        assert set(account.send(part)["codes"]) == {"SESSION_NOT_FOUND"}
    account.send([event("start", session_id, began), event("complete", session_id, began + 240 * MINUTE)])
    assert account.session(session_id)["focus_seconds"] == 240 * 60
    count = """select (select count(*) from session_events where user_id = %(id)s),
                      (select count(*) from rejected_events where user_id = %(id)s)"""
    assert sql.execute(count, {"id": account.user_id}).fetchone() == (1202, 0)


def test_only_one_session_is_listed_as_active(account: Account, sql: psycopg.Connection[Any]) -> None:
    """Of two sessions started offline only the later one is active."""
    first, second = (event("start", str(uuid.uuid4()), TEN - n * MINUTE) for n in (30, 10))
    for order in ([first, second], [second, first]):
        other = Account(sql, account.clock)
        starts = [{**each, "event_id": str(uuid.uuid4()), "session_id": str(uuid.uuid4())} for each in order]
        for each in starts:
            other.send([each], TEN)
        row = sql.execute("select list_sessions(%s, 'active', 10)", [other.user_id]).fetchone()
        assert row is not None
        last = max(starts, key=lambda each: each["created_at"])
        assert [listed["session_id"] for listed in row[0]] == [last["session_id"]]


def test_an_id_with_other_content_is_listed_among_the_rejected(account: Account, sql: psycopg.Connection[Any]) -> None:
    """A reused id with other content is listed once, in one batch and over two; the first event stays."""
    start, beat = session(TEN - HOUR, 25)[:2]
    other = {**beat, "event_type": "break_start"}
    for batch in ([start, beat, other], [other], [other, beat]):
        codes = account.send(batch)["codes"]
        assert codes.count("IDEMPOTENCY_KEY_REUSED") == 1
    row = sql.execute("select get_rejected_events(%s, 10)", [account.user_id]).fetchone()
    assert row is not None
    assert [(each["event_id"], each["event_type"], each["error_code"]) for each in row[0]] == [
        (beat["event_id"], "break_start", "IDEMPOTENCY_KEY_REUSED")
    ]


def test_a_session_whose_space_goes_is_in_the_changes(account: Account, sql: psycopg.Connection[Any]) -> None:
    """The change also reaches a user who had left the space; the schedule reports it once."""
    while sql.execute("select announce_lost_spaces()").fetchone() != (0,):
        pass  # what other tests have left
    owner = Account(sql, account.clock)
    space = str(uuid.uuid4())
    owner.call("create_space", TEN, space_id=space, name="S", visibility="public", invite_code=space)
    account.call("join_space", TEN, space_id=space)
    started = session(TEN - HOUR, 25)
    started[0]["event_payload"]["space_id"] = space
    account.send(started)
    feed = sql.execute("select activity_type, occurred_at from space_activity where space_id = %s", [space]).fetchall()
    assert ("session_started", TEN - HOUR) in feed
    assert ("session_completed", TEN - 35 * MINUTE) in feed
    account.call("leave_space", TEN, space_id=space)
    cursor = sql.execute("select internal.change_cursor(%s)", [account.user_id]).fetchone()
    assert cursor is not None
    owner.call("delete_space", TEN, space_id=space)
    assert sql.execute("select announce_lost_spaces()").fetchone() == (1,)
    assert sql.execute("select announce_lost_spaces()").fetchone() == (0,)
    row = sql.execute("select get_changes(%s, %s, 10)", [account.user_id, cursor[0]]).fetchone()
    assert row is not None
    changed = {(each["kind"], each["id"]): each["data"] for each in row[0]["changes"]}
    assert changed["session", started[0]["session_id"]]["space_id"] is None


def test_a_completion_changes_the_profile(account: Account, sql: psycopg.Connection[Any]) -> None:
    """A second device that syncs gets XP and streak."""
    first = account.start(TEN)
    cursor = sql.execute("select internal.change_cursor(%s)", [account.user_id]).fetchone()
    assert cursor is not None
    account.beat(first, TEN + 3 * MINUTE)
    account.complete(first, TEN + 5 * MINUTE)
    row = sql.execute("select get_changes(%s, %s, 10)", [account.user_id, cursor[0]]).fetchone()
    assert row is not None
    (profile,) = [each["data"] for each in row[0]["changes"] if each["kind"] == "profile"]
    assert (profile["xp"], profile["current_streak"]) == (5, 1)


def test_many_sessions_left_open_slow_no_batch_down(account: Account, sql: psycopg.Connection[Any]) -> None:
    """A batch beside 1,500 open sessions takes at most three times as long as beside none."""
    spent = []
    batches = [session(TEN - n * HOUR, 25) for n in range(1, 13)]
    other = Account(sql, account.clock)
    sql.execute(
        """insert into study_sessions (session_id, user_id, duration_minutes, started_at, last_activity_at, replayed,
             background, progress)
           select gen_random_uuid(), %s, 720, at, at, true, true, internal.initial_progress(at)
           from generate_series(1, 1500) n, lateral (select %s - n * interval '1 minute' as at) began""",
        [account.user_id, TEN],
    )
    for who in (other, account):
        begun = time.perf_counter()
        for batch in batches:
            who.send(
                [{**each, "session_id": str(uuid.uuid5(uuid.UUID(each["session_id"]), who.user_id))} for each in batch],
                TEN,
            )
        spent.append(time.perf_counter() - begun)
    assert spent[1] < 3 * spent[0] + 0.2, spent
    sql.execute("delete from auth.users where id = %s", [account.user_id])


def test_a_retry_judges_anew_what_waited(account: Account, sql: psycopg.Connection[Any]) -> None:
    """A retry applies a completion that overlaps others only once it no longer does."""
    account.send(session(TEN - HOUR, 30), client_id="laptop")
    inside = session(TEN - 50 * MINUTE, 10)
    assert account.send(inside, client_id="phone")["codes"][-1] == "SESSION_OVERLAP"
    retried = account.call("retry_rejected_event", event_id=inside[-1]["event_id"])
    assert (retried["status"], retried["error_code"]) == ("rejected", "SESSION_OVERLAP")
    later = [*beats(inside[0]["session_id"], TEN - 50 * MINUTE, 36)[5:]]
    longer = event("complete", inside[0]["session_id"], TEN - 14 * MINUTE)
    account.send([*later, longer], client_id="phone")
    assert account.session(inside[0]["session_id"])["focus_seconds"] == 16 * 60
    assert violations(sql) == []
