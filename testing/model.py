"""A model of the rules in docs/contract.md, in plain Python over sets of intervals, to compare the database with.

It was written from that page alone. A `Student` receives events and their arrival times. Sessions, XP and days are
recomputed from the set of all events received, except for what the schedule has credited, which stays.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from local.postgres import packaged_programs

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
TOLERANCE, ALIVE, SILENCE = 2 * MINUTE, 5 * MINUTE, HOUR
NOTHING = timedelta()
Interval = tuple[datetime, datetime]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Return the same time as disjoint intervals, in order."""
    joined: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined


def without(time: Iterable[Interval], taken: Iterable[Interval]) -> list[Interval]:
    """Return the part of the time that is not taken, as disjoint intervals in order."""
    left = union(time)
    for start, end in taken:
        left = [piece for a, b in left for piece in ((a, min(b, start)), (max(a, end), b)) if piece[0] < piece[1]]
    return union(left)


def length(time: Iterable[Interval]) -> timedelta:
    """Return the sum of the intervals' lengths."""
    return sum((end - start for start, end in time), NOTHING)


def first(time: list[Interval], limit: timedelta) -> list[Interval]:
    """Return the first `limit` of the time; its intervals must be disjoint and in order."""
    kept = []
    for start, end in time:
        kept.append((start, min(end, start + max(NOTHING, limit))))
        limit -= end - start
    return union(kept)


@cache
def zone_info(name: str) -> ZoneInfo:
    """Return a time zone by the database server's own data, so that both use the same rules."""
    file = packaged_programs().parent / "share" / "timezone" / name
    if "POSTGRES_PROGRAMS" in os.environ or not file.exists():  # another server: it has the zones of the machine
        return ZoneInfo(name)
    with file.open("rb") as data:
        return ZoneInfo.from_file(data, name)


@cache
def local_date(quarter: int, zone: str) -> date:
    """Return the local date of a quarter of an hour, in which it cannot change: offsets are multiples of 15 minutes."""
    return datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone_info(zone)).date()


def quarter_of(at: datetime) -> int:
    """Return the number of the quarter of an hour that contains a moment, counted from the Unix epoch."""
    return int(at.timestamp() // 900)


def next_midnight(at: datetime, zone: str) -> datetime:
    """Return the moment at which the next local date begins in a zone."""
    today, quarter = local_date(quarter_of(at), zone), quarter_of(at)
    while local_date(quarter, zone) == today:
        quarter += 1
    return datetime.fromtimestamp(quarter * 900, UTC)


LEFT_OUT = {"Pacific/Apia": datetime(2011, 12, 30, 10, tzinfo=UTC)}
"""Zones that skipped a date, and the moment at which they did."""


@dataclass
class Calendar:
    """The days of a student, whose time zone may change."""

    zone: str
    # (moment from which a zone applies, the zone, what is added to its dates); `zone` applies before the first.
    changes: list[tuple[datetime, str, timedelta]] = field(default_factory=list)

    def _pieces(self) -> list[tuple[datetime, str, timedelta]]:
        """Return `changes` with the first zone in front, and with one more where a zone skipped a date."""
        base = DAY if self.zone in LEFT_OUT else NOTHING
        changes = [(datetime.min.replace(tzinfo=UTC), self.zone, base), *self.changes]
        ends = [begins for begins, *_ in changes[1:]] + [datetime.max.replace(tzinfo=UTC)]
        for (begins, zone, added), until in zip(list(changes), ends, strict=True):
            if zone in LEFT_OUT and begins < LEFT_OUT[zone] < until:
                changes.append((LEFT_OUT[zone], zone, added - DAY))
        return sorted(changes)

    def day_of(self, at: datetime) -> date:
        """Return the day that a moment counts for."""
        day = date.max
        for begins, zone, added in self._pieces():
            if at < begins:  # days are counted on across a change: at the latest this is the day before it
                return min(day, local_date(quarter_of(begins), zone) + added - DAY)
            day = local_date(quarter_of(at), zone) + added
        return day

    def _next_cut(self, at: datetime) -> datetime:
        """Return the next moment at which a day may end: a quarter of an hour or a change of zone."""
        quarter = datetime.fromtimestamp((quarter_of(at) + 1) * 900, UTC)
        return min([quarter, *(begins for begins, *_ in self.changes if begins > at)])

    def _start_of(self, at: datetime) -> datetime:
        """Return the moment at which the day of `at` began."""
        cut = at - 45 * HOUR
        start = cut
        while cut <= at:
            if self.day_of(start) != self.day_of(at):
                start = cut
            cut = self._next_cut(cut)
        return start

    def end_of(self, day: date) -> datetime:
        """Return the first moment after a day."""
        cut = datetime(day.year, day.month, day.day, tzinfo=UTC) - 72 * HOUR
        while self.day_of(cut) <= day:
            cut = self._next_cut(cut)
        return cut

    def change(self, now: datetime, zone: str, has_days: bool) -> None:
        """Change the zone from the next day on; for all of the past as well if there is no credited day yet."""
        if not has_days:
            self.zone, self.changes = zone, []
            return
        if zone == (self.changes[-1][1] if self.changes else self.zone):
            return
        day, began = self.day_of(now), self._start_of(now)
        self.changes = [change for change in self.changes if change[0] <= now]
        if zone == (self.changes[-1][1] if self.changes else self.zone) and self.day_of(now) == day:
            return
        midnight = next_midnight(max(now, began + 20 * HOUR), zone)
        self.changes.append((midnight, zone, day + DAY - local_date(quarter_of(midnight), zone)))

    def split(self, time: Iterable[Interval]) -> dict[date, timedelta]:
        """Return how much of the time lies in each day."""
        days: dict[date, timedelta] = defaultdict(timedelta)
        for start, end in time:
            at = start
            while at < end:
                until = min(end, self._next_cut(at))
                days[self.day_of(at)] += until - at
                at = until
        return days


@dataclass
class Session:
    """What is known about a session.

    Attributes:
        client: The `client_id` that recorded it.
        planned: The planned duration, in minutes.
        marks: The events between start and end: (time, type).
        heard_at: When something of it last arrived.
        paid: The time that it was credited; None if it is not completed.
        covered: Whether its completion was refused because other sessions cover its time.
    """

    session_id: str
    client: str
    start: datetime
    planned: int
    marks: list[tuple[datetime, str]] = field(default_factory=list)
    completions: list[datetime] = field(default_factory=list)
    abandonments: list[datetime] = field(default_factory=list)
    heard_at: datetime | None = None
    status: str = "active"
    closed: bool = False  # by a schedule, until something else arrives
    paid: list[Interval] | None = None
    covered: bool = False
    early: bool = False  # paid by a schedule: what it paid stays

    @property
    def last_sign(self) -> datetime:
        """The last sign of life."""
        return max([self.start, *(max(at, self.start) for at, _ in self.marks)])

    def breaks(self) -> list[Interval]:
        """Return its breaks; one that was not ended lasts for ever."""
        moments: dict[datetime, set[str]] = defaultdict(set)
        for at, kind in self.marks:
            if kind in ("break_start", "break_end"):
                moments[max(at, self.start)].add(kind)
        turns = sorted(at for at, kinds in moments.items() if len(kinds) == 1)
        ends = [*turns[1:], datetime.max.replace(tzinfo=UTC)]
        return [(at, end) for at, end in zip(turns, ends, strict=False) if "break_start" in moments[at]]

    def counts(self, until: datetime) -> list[Interval]:
        """Return what counts as studied until a moment."""
        until = min(until, self.start + 24 * HOUR)
        signs = [self.start, *(max(at, self.start) for at, _ in self.marks)]
        alive = union((at, min(at + ALIVE, until)) for at in signs)
        return first(without(alive, self.breaks()), 12 * HOUR)


@dataclass
class Student:
    """A student's sessions, and what they earn.

    Attributes:
        calendar: The student's days.
        sessions: The sessions by id.
        waiting: Events of sessions whose start has not arrived, by session: (time, type, time of arrival).
    """

    calendar: Calendar
    sessions: dict[str, Session] = field(default_factory=dict)
    waiting: dict[str, list[tuple[datetime, str, datetime]]] = field(default_factory=lambda: defaultdict(list))

    def tell(self, kind: str, session_id: str, at: datetime, client: str, planned: int, now: datetime) -> None:
        """Receive one event that arrives at `now`; call `settle` after the last one of a batch."""
        if kind == "start":
            session = self.sessions.setdefault(session_id, Session(session_id, client, at, planned))
            session.heard_at = now
            for earlier in self.waiting.pop(session_id, []):
                self._add(session, *earlier)
        elif session_id in self.sessions:
            self._add(self.sessions[session_id], at, kind, now)
        else:
            self.waiting[session_id].append((at, kind, now))

    def _add(self, session: Session, at: datetime, kind: str, now: datetime) -> None:
        if at < session.start - TOLERANCE:
            return
        session.heard_at = max(session.heard_at or now, now)  # an event that waited arrived before the start did
        if kind == "complete":
            session.completions.append(max(at, session.start))
        elif kind == "abandon":
            session.abandonments.append(max(at, session.start))
        else:
            session.marks.append((at, kind))
            session.closed = False
            session.covered = session.covered and bool(session.completions)  # new events may leave more of it to credit

    def settle(self) -> None:
        """Credit the completed sessions in the order of their ends, and update the status of the others."""
        completed = [s for s in self.sessions.values() if s.completions]
        for session in sorted(completed, key=lambda s: (max(s.completions), s.session_id)):
            self._credit(session, max(session.completions))
        for session in self.sessions.values():
            if session.paid is None and (session.abandonments or session.covered):
                session.status = "abandoned"
            elif session.paid is None and not session.closed:
                session.status = "active"

    def _credit(self, session: Session, until: datetime) -> None:
        own = session.counts(until)
        taken = [piece for other in self._before(session, until) for piece in other.paid or []]
        left = without(own, taken)
        if session.paid is None:
            clipped, rest = length(own) - length(left), length(left)
            session.covered = clipped > NOTHING and (
                rest < timedelta(seconds=1) or (clipped > TOLERANCE and rest <= TOLERANCE)
            )
            if session.covered:
                session.status = "abandoned"
                return
        before = (session.paid or []) if session.early else []
        session.paid = union([*before, *first(without(left, before), 12 * HOUR - length(before))])
        session.status = "completed"
        for other in self.sessions.values():  # those of the same client that ended later give way
            if other is not session and other.paid is not None and self._gives_way(other, session, until):
                other.paid = without(other.paid, session.paid)

    def _before(self, session: Session, until: datetime) -> list[Session]:
        return [
            other
            for other in self.sessions.values()
            if other is not session and other.paid is not None and not self._gives_way(other, session, until)
        ]

    @staticmethod
    def _gives_way(other: Session, session: Session, until: datetime) -> bool:
        if other.client != session.client or not other.completions:
            return False
        return (max(other.completions), other.session_id) > (until, session.session_id)

    def run_schedule(self, now: datetime) -> None:
        """Close sessions that are silent: an hour has passed since the last sign of life and since the last arrival."""
        for session in list(self.sessions.values()):
            over = (session.completions and not session.covered) or session.abandonments or session.closed
            if over or session.covered or max(session.last_sign, session.heard_at or now) + SILENCE >= now:
                continue
            later = [s.start for s in self.sessions.values() if s is not session and s.start >= session.last_sign]
            until = min([session.last_sign + ALIVE, *later])
            session.closed = True
            if session.paid is not None or length(session.counts(until)) >= session.planned * MINUTE * 0.8:
                self._credit(session, until)
                session.early = session.paid is not None
            if session.paid is None:
                session.status = "abandoned"

    @property
    def paid_sessions(self) -> list[Session]:
        """The completed sessions."""
        return [session for session in self.sessions.values() if session.paid is not None]

    def days(self) -> dict[date, timedelta]:
        """Return the credited time of each day."""
        days: dict[date, timedelta] = defaultdict(timedelta)
        for session in self.paid_sessions:
            for day, time in self.calendar.split(session.paid or []).items():
                days[day] += time
        return dict(days)

    def streak_ending(self, day: date) -> int:
        """Return the length of the streak that ends on `day`, in days."""
        counted = {day for day, time in self.days().items() if time >= MINUTE}
        run = 0
        while day - run * DAY in counted:
            run += 1
        return run

    def best_streak(self) -> int:
        """Return the length of the longest streak, in days."""
        return max((self.streak_ending(day) for day in self.days()), default=0)

    def awards(self) -> list[tuple[str, int, datetime]]:
        """Return everything earned except milestones: (source, XP, moment at which it counts for boards)."""
        awards, short = [], Counter[date]()
        for session in self.paid_sessions:
            paid = session.paid or []
            at = paid[-1][1] - timedelta(microseconds=1) if paid else self.ended_at(session)
            seconds = int(length(paid).total_seconds())
            if seconds >= 60:
                awards.append(("session", seconds // 60, at))
            else:
                short[self.calendar.day_of(at)] += 1
                if short[self.calendar.day_of(at)] <= 5:
                    awards.append(("session", 1, at))
            if seconds >= 1500:
                awards.append(("focus_bonus", 10, at))
        for day, time in self.days().items():
            at = self.calendar.end_of(day) - timedelta(microseconds=1)
            if time >= 120 * MINUTE:
                awards.append(("daily_bonus", 20, at))
            if time >= 25 * MINUTE and (bonus := min(50, 2 * (self.streak_ending(day) // 7))):
                awards.append(("streak_bonus", bonus, at))
        return awards

    @staticmethod
    def ended_at(session: Session) -> datetime:
        """Return when a session ended of which no time counts: at its start."""
        return session.start

    def xp_by_source(self) -> dict[str, int]:
        """Return the XP by source, including milestones."""
        earned: Counter[str] = Counter()
        for source, amount, _ in self.awards():
            earned[source] += amount
        total = sum(earned.values())
        earned["milestone_500"] = 100 * (total // 500)
        earned["milestone_10000"] = 1000 * (total // 10000)
        return {source: amount for source, amount in earned.items() if amount}

    def board(self, begins: datetime, ends: datetime) -> int:
        """Return the XP that counts for a leaderboard's period, which includes `begins` but not `ends`."""
        return sum(amount for _, amount, at in self.awards() if begins <= at < ends)
