"""The rules of the contract once more, in plain Python, to hold the database's answers against."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


def credited_seconds(marks: list[tuple[float, str]], end: float) -> int:
    """Credited time of a session that starts at second 0; `marks` are (second, event type) in order."""
    total, on_break, last = 0.0, False, 0.0
    for at, event_type in [*marks, (end, "end")]:
        if at > end:
            continue
        if not on_break:
            total += min(at - last, 300)
        if event_type in ("break_start", "break_end"):
            on_break = event_type == "break_start"
        last = at
    return min(43200, int(total))


@dataclass
class StudentModel:
    """What one student earns, session by session, in the order in which the sessions arrive."""

    timezone: str
    ledger: list[tuple[str, int]] = field(default_factory=list)
    day_seconds: Counter[date] = field(default_factory=Counter)
    short_paid: Counter[date] = field(default_factory=Counter)
    bonus_paid: set[date] = field(default_factory=set)
    streak_rated: set[date] = field(default_factory=set)

    def complete(self, focus_seconds: int, ended_at: datetime) -> dict[str, int]:
        """Pay a session; returns XP by source."""
        day = ended_at.astimezone(ZoneInfo(self.timezone)).date()
        self.day_seconds[day] += focus_seconds
        pay: dict[str, int] = {}
        if focus_seconds >= 60:
            pay["session"] = focus_seconds // 60
            pay["focus_bonus"] = 10 if focus_seconds >= 1500 else 0
        elif self.short_paid[day] < 5:
            self.short_paid[day] += 1
            pay["session"] = 1
        if self.day_seconds[day] >= 7200 and day not in self.bonus_paid:
            pay["daily_bonus"] = 20
            self.bonus_paid.add(day)
        if self.day_seconds[day] >= 1500 and day not in self.streak_rated:
            pay["streak_bonus"] = min(50, 2 * (self.streak_ending(day) // 7))
            self.streak_rated.add(day)
        before = self.session_xp
        after = before + sum(pay.values())
        pay["milestone_500"] = 100 * (after // 500 - before // 500)
        pay["milestone_10000"] = 1000 * (after // 10000 - before // 10000)
        paid = {source: amount for source, amount in pay.items() if amount}
        self.ledger += paid.items()
        return paid

    @property
    def session_xp(self) -> int:
        """XP earned from sessions, without milestones."""
        return sum(amount for source, amount in self.ledger if not source.startswith("milestone"))

    @property
    def total_xp(self) -> int:
        """All XP."""
        return sum(amount for _, amount in self.ledger)

    def streak_ending(self, day: date) -> int:
        """Length in days of the run of study days that ends on `day`."""
        length = 0
        while day - length * DAY in self.day_seconds:
            length += 1
        return length

    @property
    def best_streak(self) -> int:
        """The longest run of study days."""
        return max((self.streak_ending(day) for day in list(self.day_seconds)), default=0)
