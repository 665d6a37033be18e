"""One environment's view of one limit of one subject: a sliding window over two counters, and tokens taken from it.

The sliding window is estimated from two fixed windows. The calls of the previous fixed window are weighted by the share
of it that the sliding window still covers, as if they were evenly spread. Evenly spread calls are therefore limited
exactly. A subject that makes all calls of a window at its end gets the next ones one by one, at the pace of the limit,
and never a second burst. Only over a whole window's length can its calls exceed the limit, and they stay below twice
the limit.
"""

from __future__ import annotations

import os
import threading
from typing import Final

from resilience._decision import Limit

WINDOWS_AN_ITEM: Final = 10
_FEW: Final = 4


class Window:
    """One limit of one subject in one fixed window, as far as this environment knows.

    Attributes:
        limit: The limit.
        number: Index of the fixed window, counted from the epoch.
        tokens: Calls that may be made without asking the store.
        owed: Calls that passed on credit and are not yet charged.
        spent: Calls that passed here, counted or not.
        usual: `spent` of the previous window.
        unused: Tokens of the previous window that were counted but neither spent nor given back. They were not calls,
            so the next request subtracts them from that window's counter.
        denied: Tokens that the last request added to the counter but did not get; the next request subtracts them.
        taken: Calls and tokens of this window that the store last reported; at most the limit.
        before: Calls counted in the previous window, as last known; at most the limit.
        knows_before: Whether the previous window's counter was read, or is known from that window's requests.
        closed_until: Unix second until which calls are refused without asking the store.
        open_until: Unix second until which calls pass without asking the store.
        refused: Whether the store's last answer granted no token.
        fresh: Whether the store has not answered a request for this window yet.
        asking: Lock held during a request, so that there is only one at a time.
        pending: A request that got no answer yet, as the number of tokens to add and its id; None for none.
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
            self.usual = last.spent
            # A request that got no answer may have subtracted the denied tokens already.
            self.unused = last.tokens + (last.denied if last.pending is None else 0)
            self.before = min(limit.limit, last.taken - last.tokens + last.owed)
            self.knows_before = last.taken > 0
            self.refused, self.closed_until = last.refused, last.closed_until
        self.fresh = True

    def allowance(self, now: float) -> int:
        """Return how many calls this fixed window may have counted in total by now."""
        return int(self.limit.limit - self.before * (1.0 - self._elapsed(now)) + 1e-9)

    def credit(self, now: float) -> bool:
        """Return whether a call may pass on credit: 1 % of the limit, at least one, before the store's first answer."""
        few = max(1, self.limit.limit // 100)
        return self.fresh and not self.refused and self.owed < min(few, self.allowance(now))

    def spend(self, now: float) -> None:
        """Count a call that passes."""
        self.spent += 1
        if self.tokens:
            self.tokens -= 1
        elif self.credit(now):
            self.owed += 1

    def left(self, now: float) -> int:
        """Return how many more calls may be made now, as far as this environment knows."""
        return self.allowance(now) - self.taken + self.tokens - (self.owed if self.fresh else 0)

    def request(self, now: float, largest: int) -> tuple[int, str]:
        """Return how many tokens to add to the counter, and the request's id; unchanged until the store answers.

        Args:
            now: Wall-clock time in Unix seconds.
            largest: Maximum number of tokens to take in addition to those owed.
        """
        if self.pending is None:
            # Take a fifth of what is left: few writes while much is left. And keep to the use made here: a subject
            # whose calls are spread over many environments would otherwise lose most of its limit to unused tokens.
            left = self.allowance(now) - self.taken - self.owed
            used = max(_FEW, 2 * self.spent, self.usual)
            block = max(1, min(largest, self.limit.limit // 10, left // 5, used))
            self.pending = (block + self.owed, os.urandom(4).hex())
        return self.pending

    def answered(self, now: float, added: int, total: int, before: int) -> None:
        """Take the tokens that the store's answer grants.

        Args:
            now: Wall-clock time in Unix seconds.
            added: How many tokens the request added.
            total: The counter of this window after that.
            before: The counter of the previous window.
        """
        self.refused, self.closed_until = False, 0.0
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
        """Return the seconds until one more call may be made, as far as this environment knows."""
        length, limit = self.limit.window, self.limit.limit
        rest = length * (1.0 - self._elapsed(now))
        if self.taken < limit:
            # One more call fits once enough of the previous window has slid out, and no sooner than the limit's pace.
            return max(length / limit, rest - length * (limit - self.taken - 1) / max(self.before, 1))
        return rest + length * (1.0 - (limit - 1) / self.taken)

    def _elapsed(self, now: float) -> float:
        return min(1.0, max(0.0, now / self.limit.window - self.number))
