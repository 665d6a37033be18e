"""Days and streaks in the cases that users complain about: travel, zones, clock changes, late events."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import available_timezones

import psycopg
import pytest

from testing.account import MINUTE, Account, session
from testing.clock import DatabaseClock
from testing.model import DAY, HOUR, Calendar, zone_info
from testing.timeline import violations

NOON = datetime(2033, 6, 15, 12, tzinfo=UTC)


def days_of(sql: psycopg.Connection[Any], account: Account) -> dict[date, tuple[int, int]]:
    rows = sql.execute(
        "select day, focus_seconds::integer / 60, streak from study_days where user_id = %s order by day",
        [account.user_id],
    )
    return {row[0]: (row[1], row[2]) for row in rows}


@pytest.mark.parametrize(
    ("zones", "told", "streak"),
    [
        (("America/New_York", "Pacific/Apia"), "each day", 6),
        (("America/New_York", "Pacific/Apia"), "at the end", 6),
        (("Pacific/Apia", "America/New_York"), "each day", 5),  # one date occurred twice
        (("Pacific/Apia", "America/New_York"), "at the end", 6),
        (("Europe/Berlin", "America/Los_Angeles"), "each day", 6),
    ],
)
def test_a_change_of_zone_neither_breaks_nor_invents_a_day(
    sql: psycopg.Connection[Any], clock: DatabaseClock, zones: tuple[str, str], told: str, streak: int
) -> None:
    """Three days, another zone and three more days at the same hour count right, sent together or day by day."""
    clock.freeze(NOON)
    account = Account(sql, clock, zones[0])
    for number in range(6):
        at = NOON + number * DAY
        account.send(session(at - HOUR, 30), at if told == "each day" else NOON + 6 * DAY)
        if number == 2:
            account.move(zones[1], NOON + 2 * DAY + HOUR if told == "each day" else NOON + 6 * DAY)
    assert account.streak == streak
    assert [length for _, length in days_of(sql, account).values()] == [*range(1, streak + 1)]
    assert violations(sql) == []


@pytest.mark.parametrize(
    ("zones", "hours", "streak"),
    [
        # Midday there: going west the calendar skips a date, and going east it has one twice.
        (("America/New_York", "Pacific/Apia"), [0, 24, 48, 79, 103], 5),
        (("Pacific/Apia", "America/New_York"), [0, 24, 48, 48 + 41, 48 + 65], 5),
        (("Pacific/Apia", "America/New_York"), [0, 24, 48, 48 + 17], 3),
        (("Europe/Berlin", "Asia/Tokyo"), [0, 24, 48, 65, 89], 4),  # 17 hours are not a new day
        (("Asia/Tokyo", "Europe/Berlin"), [0, 24, 48, 79, 103], 5),
    ],
)
def test_who_travels_loses_nothing(
    sql: psycopg.Connection[Any], clock: DatabaseClock, zones: tuple[str, str], hours: list[int], streak: int
) -> None:
    """After the zone is changed on arrival, three hours after the last session at home, the streak continues."""
    midday = NOON.replace(tzinfo=zone_info(zones[0])).astimezone(UTC)
    clock.freeze(midday)
    account = Account(sql, clock, zones[0])
    for number, hour in enumerate(hours):
        if number == 3:
            account.move(zones[1], midday + 51 * HOUR)
        account.send(session(midday + hour * HOUR - 40 * MINUTE, 30), midday + hour * HOUR)
    assert account.streak == streak
    best = "select best_streak from user_stats where user_id = %s"
    assert sql.execute(best, [account.user_id]).fetchone() == (streak,)


def test_a_change_that_is_taken_back_moves_no_day(sql: psycopg.Connection[Any], clock: DatabaseClock) -> None:
    """Sessions counted in UTC before a planned change to Tokyo stay on their day, whatever zone follows instead."""
    for zone in ("Asia/Tokyo", "Pacific/Apia"):
        clock.freeze(NOON)
        account = Account(sql, clock, "Asia/Tokyo")
        account.send(session(NOON - HOUR, 30), NOON)
        account.move("UTC", NOON)
        account.send(session(NOON + 6 * HOUR, 30), NOON + 7 * HOUR)  # already tomorrow without the change to UTC
        account.move(zone, NOON + 7 * HOUR)
        account.send(session(NOON + 7 * HOUR, 20), NOON + 8 * HOUR)
        assert list(days_of(sql, account).values()) == [(80, 1)]
        account.send(session(NOON + 30 * HOUR, 30), NOON + 31 * HOUR)
        assert [length for _, length in days_of(sql, account).values()] == [1, 2]


def test_hopping_zones_earns_nothing(sql: psycopg.Connection[Any], clock: DatabaseClock) -> None:
    """Half an hour in each of many zones an hour apart counts three days as three, and four with their edges."""
    clock.freeze(NOON)
    account = Account(sql, clock)
    zones = ["Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC", "Asia/Tokyo", "America/New_York"]
    for hour in range(72):
        account.send(session(NOON + hour * HOUR, 30), NOON + hour * HOUR + 40 * MINUTE)
        account.move(zones[hour % len(zones)], NOON + hour * HOUR + 50 * MINUTE)
    assert 2 <= account.streak <= 72 // 20 + 1
    assert violations(sql) == []


@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("America/New_York", date(2026, 3, 8)), ("America/New_York", date(2026, 11, 1)),
        ("Europe/Berlin", date(2026, 3, 29)), ("Europe/Berlin", date(2026, 10, 25)),
        ("Africa/Casablanca", date(2026, 2, 15)), ("Africa/Casablanca", date(2026, 3, 22)),
        ("America/Havana", date(2026, 3, 8)), ("America/Havana", date(2026, 11, 1)),
        ("Pacific/Apia", date(2011, 12, 30)),
        ("Pacific/Apia", date(2012, 1, 1)), ("UTC", date(2028, 2, 29)), ("UTC", date(2027, 1, 1)),
    ],
)  # fmt: skip
def test_a_session_over_midnight_gives_both_days_theirs(
    sql: psycopg.Connection[Any], clock: DatabaseClock, zone: str, night: date
) -> None:
    """23:50 to 00:10 counts for both days, on clock changes, a leap day, and a day that a zone skipped."""
    calendar = Calendar(zone)
    midnights = sorted({calendar.end_of(night - n * DAY) for n in (0, 1)})
    clock.freeze(midnights[-1] + 5 * HOUR)
    account = Account(sql, clock, zone)
    for midnight in midnights:
        account.send(session(midnight - 10 * MINUTE, 20))
    found = days_of(sql, account)
    assert [*found.values()] == [(10, 1), *((20, n) for n in range(2, len(midnights) + 1)), (10, len(midnights) + 1)]
    assert violations(sql) == []


def test_the_day_is_where_the_studying_was(sql: psycopg.Connection[Any], clock: DatabaseClock) -> None:
    """A completion on the next morning, and a silent session closed after midnight, count for the evening."""
    evening = datetime(2033, 7, 31, 22, 0, tzinfo=UTC)  # Sunday, the last of a week and a month
    clock.freeze(evening)
    for late in ("complete", "schedule"):
        account = Account(sql, clock)
        events = session(evening, 40)
        account.send(events[:-1], evening + HOUR)
        if late == "complete":
            events[-1]["created_at"] = (evening + 10 * HOUR).isoformat()
            account.send(events[-1:], evening + 10 * HOUR)
        else:
            account.run_schedule(evening + 4 * HOUR)
        assert list(days_of(sql, account)) == [evening.date()]
        ended = datetime.fromisoformat(account.session(events[0]["session_id"])["ended_at"])
        assert ended.date() == evening.date()
        periods = (
            "select distinct date_trunc('week', occurred_at at time zone 'UTC')::date from xp_ledger where user_id = %s"
        )
        assert sql.execute(periods, [account.user_id]).fetchall() == [(date(2033, 7, 25),)]


def test_a_late_day_repairs_the_streak_and_its_bonuses(sql: psycopg.Connection[Any], clock: DatabaseClock) -> None:
    """When the fourth of ten days arrives last, XP and streak are the same as in order."""
    totals = []
    for order in ([*range(10)], [0, 1, 2, 4, 5, 6, 7, 8, 9, 3]):
        clock.freeze(NOON + 9 * DAY)
        account = Account(sql, clock)
        for number in order:
            account.send(session(NOON + number * DAY - HOUR, 30))
        totals.append((account.xp, account.streak, days_of(sql, account)))
    assert totals[0] == totals[1]
    assert totals[0][:2] == (10 * 40 + 4 * 2, 10)
    assert violations(sql) == []


def test_a_day_without_a_credited_minute_counts_for_no_streak(
    sql: psycopg.Connection[Any], clock: DatabaseClock
) -> None:
    """A session of half a minute pays 1 XP without counting the day; two of them count it."""
    clock.freeze(NOON)
    account = Account(sql, clock)
    account.send(session(NOON - HOUR, 0.5))
    assert (account.xp, account.streak) == (1, 0)
    account.send(session(NOON - 2 * HOUR, 0.5))
    assert (account.xp, account.streak) == (2, 1)


def test_the_database_alone_knows_zones(sql: psycopg.Connection[Any], clock: DatabaseClock) -> None:
    """Zones in the database's data are accepted, even where others differ; abbreviations and rules are not."""
    clock.freeze(NOON)
    account = Account(sql, clock)
    names = {name for (name,) in sql.execute("select name from pg_timezone_names")}
    assert len(names & available_timezones()) > 400
    for name in ("America/Havana", "America/Winnipeg", "America/Inuvik", "Europe/Berlin"):
        account.move(name, NOON)
        assert account.profile()["timezone"] == name
    for wrong in ("Mars/Olympus", "PDT", "<+03>-3", "Europe/berlin2", ""):
        with pytest.raises(psycopg.Error) as refused:
            account.move(wrong, NOON)
        assert refused.value.sqlstate == "SS004"
