"""The template's schedules: when they are due, and the loop that fires them."""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import product

from local.errors import StackError
from local.intrinsics import PSEUDO_PARAMETERS
from local.template import Schedule

_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTH_NAMES = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_WEEKDAYS = {name: number for number, name in enumerate(["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"], 1)}
_HORIZON = timedelta(days=366 * 5)
_Fire = Callable[[str, bytes], Awaitable[object]]


def next_time(expression: str, after: datetime) -> datetime:
    """Return when an expression is due next; StackError if it is invalid.

    `rate(...)` counts from `after`; `cron(...)` is in UTC and supports values, lists, ranges, steps and names.
    """
    rate = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", expression.strip())
    if rate and int(rate[1]) > 0:
        return after + timedelta(seconds=int(rate[1]) * _UNITS[rate[2]])
    cron = re.fullmatch(r"cron\((.+)\)", expression.strip())
    if cron and len(cron[1].split()) == 6:  # noqa: PLR2004 - minutes hours days months weekdays years
        return _next_cron(cron[1].split(), after)
    raise StackError(f"The schedule {expression!r} is invalid: use rate(...) or cron(...)")


def _next_cron(fields: list[str], after: datetime) -> datetime:
    minutes, hours = sorted(_values(fields[0], 0, 59)), sorted(_values(fields[1], 0, 23))
    days, weekdays = _values(fields[2], 1, 31), _values(fields[4], 1, 7, _WEEKDAYS)
    months, years = _values(fields[3], 1, 12, _MONTHS), _values(fields[5], 1970, 2199)
    day = after.replace(hour=0, minute=0, second=0, microsecond=0)
    while day - after < _HORIZON:
        weekday = day.isoweekday() % 7 + 1
        if day.day in days and day.month in months and weekday in weekdays and day.year in years:
            for hour, minute in product(hours, minutes):
                due = day.replace(hour=hour, minute=minute)
                if due > after:
                    return due
        day += timedelta(days=1)
    raise StackError(f"The schedule cron({' '.join(fields)}) is never due")


def _values(field: str, low: int, high: int, names: dict[str, int] | None = None) -> set[int]:
    values: set[int] = set()
    for part in field.upper().split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first in {"*", "?"}:
            begin, end = low, high
        else:
            begin = _number(first, names)
            end = _number(last, names) if last else (high if step else begin)
        if not low <= begin <= end <= high:
            raise StackError(f"{part!r} in a schedule is out of range")
        values.update(range(begin, end + 1, int(step or 1)))
    return values


def _number(text: str, names: dict[str, int] | None) -> int:
    if names and text in names:
        return names[text]
    if not text.isdecimal():
        raise StackError(f"{text!r} in a schedule is not supported here")
    return int(text)


def event_of(schedule: Schedule, now: datetime) -> bytes:
    """Return the event of a schedule: its own input, or an event like EventBridge's."""
    if schedule.input is not None:
        return schedule.input.encode()
    region, account = PSEUDO_PARAMETERS["AWS::Region"], PSEUDO_PARAMETERS["AWS::AccountId"]
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.scheduler",
        "account": account,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [f"arn:aws:scheduler:{region}:{account}:schedule/default/{schedule.name}"],
        "detail": "{}",
    }
    return json.dumps(event).encode()


async def run_schedule(schedule: Schedule, fire: _Fire) -> None:
    """Fire a schedule whenever it is due, until cancelled."""
    due = datetime.now(UTC)
    while True:
        # From when it was due, so that a rate does not drift; from now if the machine was asleep in the meantime.
        due = max(next_time(schedule.expression, due), datetime.now(UTC))
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
        await fire(schedule.function, event_of(schedule, due))


class Scheduler:
    """The running schedules of a template."""

    def __init__(self, fire: _Fire, show: Callable[[str], None]) -> None:
        self._fire, self._show = fire, show
        self._tasks: list[asyncio.Task[None]] = []

    def load(self, schedules: list[Schedule]) -> None:
        """Replace the running schedules; invalid ones are reported and skipped."""
        self.close()
        for schedule in schedules:
            try:
                next_time(schedule.expression, datetime.now(UTC))
            except StackError as error:
                self._show(str(error))
                continue
            self._tasks.append(asyncio.get_running_loop().create_task(run_schedule(schedule, self._fire)))

    def close(self) -> None:
        """Stop them all."""
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()
