"""What one environment holds of one subject's limit: a sliding window over two counters, and tokens taken from it.

The window that slides is estimated from two fixed ones: the calls of the last fixed window count with the share of it
that the sliding one still covers, as if they were evenly spread. How exact that is: evenly spread calls are limited
exactly; whoever makes all calls of a window at its end gets the next ones at the pace of the limit, one by one, and
never a second burst. Only over a whole window's length can that come to more than the limit, and to less than twice.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from resilience._decision import Limit

WINDOWS_AN_ITEM: Final = 10
_FEW: Final = 4


class Window:
    """One subject's limit here.

    Attributes:
        number: Which fixed window it is, counted from the epoch.
        tokens: Calls that may be made without asking the store.
        owed: Calls that were let through on credit.
        spent: Calls that were let through here, counted or not; usual is that of the window before.
        unused: Tokens left of the window before, which the next request takes out of its counter: they were no calls.
        denied: Tokens that the last request added to the counter and did not get; the next one takes them out.
        taken: Calls and tokens of this window that the store knew of last; before is the window before's.
        before: See taken.
        knows_before: Whether the store was asked for the window before, or told of it meanwhile.
        closed_until: Refused without asking until this Unix second.
        open_until: Let through without asking until this Unix second.
        refused: Whether the last answer was a refusal.
        asking: Held by whoever asks the store, so that there is one request at a time.
        pending: A request that had no answer: how much it adds, and its id.
    """

    __slots__ = (
        *(
            "asking",
            "before",
            "closed_until",
            "denied",
            "fresh",
            "knows_before",
            "limit",
            "number",
            "open_until",
            "owed",
            "pending",
            "refused",
            "spent",
            "unused",
        ),
        *("taken", "tokens", "usual"),
    )

    def __init__(self, limit: Limit, number: int, last: Window | None) -> None:
        self.limit, self.number = limit, number
        self.tokens = self.owed = self.taken = self.spent = self.usual = self.unused = self.denied = 0
        self.open_until = 0.0
        self.pending: tuple[int, str] | None = None
        self.asking = threading.Lock()
        self.knows_before = False
        self.before, self.refused, self.closed_until = 0, False, 0.0
        if last is not None and last.number == number - 1:
            self.usual, self.unused = last.spent, last.tokens + last.denied
            self.before = min(limit.limit, last.taken - last.tokens + last.owed)
            self.knows_before = last.taken > 0
            self.refused, self.closed_until = last.refused, last.closed_until
        self.fresh = True

    def allowance(self, now: float) -> int:
        """Calls that this fixed window may take in all by now."""
        return int(self.limit.limit - self.before * (1.0 - self._elapsed(now)) + 1e-9)

    def credit(self, now: float) -> bool:
        """Whether a call may be let through before anything was asked of the store."""
        few = max(1, self.limit.limit // 100)
        return self.fresh and not self.refused and self.owed < min(few, self.allowance(now))

    def spend(self, now: float) -> None:
        """Count a call that is let through."""
        self.spent += 1
        if self.tokens:
            self.tokens -= 1
        elif self.credit(now):
            self.owed += 1

    def left(self, now: float) -> int:
        """Calls that may still be made now, as far as is known here."""
        return self.allowance(now) - self.taken + self.tokens - (self.owed if self.fresh else 0)

    def request(self, now: float, largest: int) -> tuple[int, str]:
        """How much to add to the counter, and the request's id; again the same for one that had no answer.

        Args:
            now: The wall clock.
            largest: Most tokens to take beside those that are owed.
        """
        if self.pending is None:
            # A fifth of what is left: few writes while there is plenty. And no more than was used here: a caller whose
            # calls are spread over many environments would lose most of the limit in tokens that nobody uses.
            left = self.allowance(now) - self.taken - self.owed
            used = max(_FEW, 2 * self.spent, self.usual)
            block = max(1, min(largest, self.limit.limit // 10, left // 5, used))
            self.pending = (block + self.owed, os.urandom(4).hex())
        return self.pending

    def answered(self, now: float, added: int, total: int, before: int) -> None:
        """Take what the store's answer grants."""
        self.refused, self.closed_until = False, 0.0
        self.before = 0
        self.before = min(before, self.limit.limit)
        free = self.allowance(now) - (total - added)
        granted = max(0, min(added, free) - self.owed)
        self.denied = added - self.owed - granted
        self.pending, self.owed, self.unused, self.fresh = None, 0, 0, False
        self.taken = min(total, self.limit.limit)
        self.tokens += granted
        self.refused = granted == 0
        if self.refused or self.taken >= self.allowance(now):
            self.closed_until = now + self.wait(now)

    def wait(self, now: float) -> float:
        """Seconds until one more call may be made, as far as is known here."""
        length, limit = self.limit.window, self.limit.limit
        rest = length * (1.0 - self._elapsed(now))
        if self.taken < limit:
            # The share of the window before that must have gone for one more to fit; and no sooner than at the pace.
            return max(length / limit, rest - length * (limit - self.taken - 1) / max(self.before, 1))
        return rest + length * (1.0 - (limit - 1) / self.taken)

    def _elapsed(self, now: float) -> float:
        return min(1.0, max(0.0, now / self.limit.window - self.number))
