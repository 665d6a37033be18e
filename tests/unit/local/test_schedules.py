"""When schedules are due, and what they send."""

import json
from datetime import UTC, datetime, timedelta

import pytest

from local.errors import StackError
from local.runtime.schedules import event_of, next_time
from local.template import Schedule

NOW = datetime(2026, 1, 30, 23, 59, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize(
    ("expression", "wait"),
    [
        ("rate(1 minute)", timedelta(minutes=1)),
        ("rate(5 minutes)", timedelta(minutes=5)),
        ("rate(2 hours)", timedelta(hours=2)),
        ("rate(1 day)", timedelta(days=1)),
    ],
)
def test_rates(expression: str, wait: timedelta) -> None:
    """A rate counts from the last run."""
    assert next_time(expression, NOW) == NOW + wait


@pytest.mark.parametrize(
    ("expression", "due"),
    [
        ("cron(0 0 * * ? *)", (2026, 1, 31, 0, 0)),
        ("cron(*/15 * * * ? *)", (2026, 1, 31, 0, 0)),
        ("cron(30 4,16 1 * ? *)", (2026, 2, 1, 4, 30)),
        ("cron(0 9 ? * MON-FRI *)", (2026, 2, 2, 9, 0)),
        ("cron(0 0 29 FEB ? *)", (2028, 2, 29, 0, 0)),
        ("cron(5/20 10 ? * 1 2027)", (2027, 1, 3, 10, 5)),
    ],
)
def test_crons(expression: str, due: tuple[int, int, int, int, int]) -> None:
    """Lists, ranges, steps, names and years are understood."""
    assert next_time(expression, NOW) == datetime(*due, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression",
    ["rate(0 minutes)", "rate(5 fortnights)", "cron(0 0 L * ? *)", "cron(99 0 * * ? *)", "cron(0 0 31 2 ? *)", "daily"],
)
def test_what_cannot_be_read_is_a_clear_error(expression: str) -> None:
    """An unreadable schedule is never taken for another one."""
    with pytest.raises(StackError, match="schedule"):
        next_time(expression, NOW)


def test_events() -> None:
    """A schedule sends its own input if it has one, else an event like EventBridge's."""
    assert event_of(Schedule("S", "F", "rate(1 day)", '{"a": 1}'), NOW) == b'{"a": 1}'
    made = json.loads(event_of(Schedule("S", "F", "rate(1 day)", None), NOW))
    assert made["detail-type"] == "Scheduled Event"
    assert made["time"] == "2026-01-30T23:59:30Z"
