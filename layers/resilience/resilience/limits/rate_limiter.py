"""Counting calls against limits that a fleet shares.

The counters of a subject are in the store, one for each fixed window (see `window` for how one slides over them); an
environment takes tokens from them in blocks, smaller towards the end, and spends them without asking. A subject's first
calls in a window (one in a hundred of the limit, at least one) are let through on credit and charged with the first
block, so that an infrequent caller costs no write at all. In total at most limit + environments x credit calls pass;
blocks never pass the limit. A block whose request had no answer is asked for again under the same id: it counts once.

Failure policy: when the store does not answer the call is let through, and an event says so. When it only asks for
fewer requests, a subject that was refused stays refused.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

from cachetools import LRUCache

from resilience import _background, _validation, events
from resilience._clock import SYSTEM, Clock
from resilience._decision import Decision, Limit
from resilience._fork import register_after_fork
from resilience._runtime import StoreBound, default_store
from resilience.errors import ConfigurationError, RateLimitedError, StoreError
from resilience.limits.window import WINDOWS_AN_ITEM, Window
from resilience.store.protocol import Store, StoreThrottledError

_LONGEST_SUBJECT: Final = 200
_PAUSE_SECONDS: Final = 1.0


class RateLimiter(StoreBound):
    """A limiter; ask it with `check` or `check_async`.

    Args:
        per_minute: Calls per subject and minute, default 100; None for no such limit.
        per_hour: Calls per subject and hour, default 1,000; None for no such limit.
        name: Separates the subjects of different limiters.
        block: Most tokens that an environment takes at once, default 20. With 1 the store counts
            exactly the calls made, at the cost of one write per call: for limits on failures, such as wrong passwords,
            where tokens held by many environments would look like failures.
        store: Where environments count together; None takes the default store.
        clock: Its wall clock makes the windows.
        max_subjects: Subjects that this environment remembers, default 10,000; the least recently seen go first, and
            while it is full nobody has credit.

    Raises:
        ConfigurationError: A limit or the block is below 1, or there is no limit.
    """

    def __init__(
        self,
        *,
        per_minute: int | None = 100,
        per_hour: int | None = 1_000,
        name: str = "api",
        block: int = 20,
        store: Store | None = None,
        clock: Clock = SYSTEM,
        max_subjects: int = 10_000,
    ) -> None:
        limits = (("minute", per_minute, 60), ("hour", per_hour, 3_600))
        self.limits = tuple(
            Limit(each, _validation.whole(f"per_{each}", limit), window)
            for each, limit, window in limits
            if limit is not None
        )
        if not self.limits:
            raise ConfigurationError("per_minute", None, "needs per_hour instead")
        self.name = _validation.text("name", name)
        self._block = _validation.whole("block", block)
        self._clock = clock
        self._given = self._store = store
        self._remembered = _validation.whole("max_subjects", max_subjects) * len(self.limits)
        self.after_fork()
        register_after_fork(self)
        self.follow_default()

    def after_fork(self) -> None:
        """See ForkAware: tokens that were taken are the parent's."""
        self._lock = threading.Lock()
        self._writer = os.urandom(4).hex()
        self._windows: LRUCache[tuple[str, str, int], Window] = LRUCache(self._remembered)

    def restored(self) -> None:
        """Give up tokens that every copy of this memory would spend."""
        self.after_fork()

    def rebind(self) -> None:
        """Use another default store from now on."""
        self._store = self._given

    def check(self, subject: str, *, limits: Sequence[Limit] | None = None) -> Decision:
        """Count a call from plain code.

        Args:
            subject: Who calls, for instance a user's id or an address, of any length.
            limits: In place of the limiter's own, for this subject.
        """
        decision, requests = self._begin(subject, limits or self.limits)
        while requests:
            for request in requests:
                self._ask(subject, request)
            decision, requests = self._begin(subject, limits or self.limits)
        return self._tell(subject, decision)

    async def check_async(self, subject: str, *, limits: Sequence[Limit] | None = None) -> Decision:
        """Count a call without blocking the event loop; see `check`."""
        decision, requests = self._begin(subject, limits or self.limits)
        while requests:
            for request in requests:
                await _background.run(partial(self._ask, subject, request), blocking=self._bound().blocking)
            decision, requests = self._begin(subject, limits or self.limits)
        return self._tell(subject, decision)

    def enforce(self, subject: str) -> Decision:
        """Like `check`, and raises RateLimitedError when the call is refused."""
        decision = self.check(subject)
        if not decision.allowed:
            raise RateLimitedError(decision)
        return decision

    def refund(self, subject: str, *, limits: Sequence[Limit] | None = None) -> None:
        """Take back a call that `check` let through; for limits on failures, which are known only afterwards.

        This environment spends what was given back on the subject's next call; what is more than a block goes back to
        the store, and with `block=1` everything does. Nothing is returned for a window that has ended.
        """
        now, crowded = self._clock.wall(), []
        with self._lock:
            for limit in limits or self.limits:
                window = self._window(subject, limit, now)
                if window.owed:
                    window.owed -= 1
                elif window.taken:
                    window.tokens += 1
                if self._surplus(window):
                    crowded.append(window)
        for window in crowded:
            _background.submit(partial(self._return, subject, window), blocking=self._bound().blocking)

    def _surplus(self, window: Window) -> int:
        """Tokens that are more than a block; a request that had no answer must be cleared up first."""
        return 0 if window.pending else max(0, window.tokens - (self._block if self._block > 1 else 0))

    def _return(self, subject: str, window: Window) -> None:
        """Give tokens back to the store. Failure policy: when it does not answer they stay counted."""
        with window.asking:
            with self._lock:
                surplus = self._surplus(window)
                window.tokens -= surplus
            if not surplus:
                return
            try:
                item, place = divmod(window.number, WINDOWS_AN_ITEM)
                key, name = f"{window.limit.name}#{window.limit.window}#{item}", f"n{place}"
                total = self._bound().add(self._partition(subject), key, {name: -surplus})[name]
            except StoreError as error:
                events.emit(events.STORE_ERROR, self.name, operation="refund", error=str(error))
                return
            with self._lock:
                window.taken = min(total, window.limit.limit)
                window.refused, window.closed_until = False, 0.0

    def _begin(self, subject: str, limits: Sequence[Limit]) -> tuple[Decision, list[Window]]:
        """Spend a token of every limit, or say for which of them the store must be asked first."""
        now = self._clock.wall()
        with self._lock:
            windows = [self._window(subject, limit, now) for limit in limits]
            refused = [each for each in windows if not each.tokens and _is_closed(each, now)]
            if refused:
                return self._decide(now, windows, max(refused, key=lambda each: each.limit.window), allowed=False), []
            full = len(self._windows) >= self._remembered
            asked = [each for each in windows if not (each.tokens or _is_open(each, now))]
            requests = [each for each in asked if full or not each.credit(now)]
            if not requests:
                for each in windows:
                    each.spend(now)
            nearest = min(windows, key=lambda each: each.left(now) / each.limit.limit)
            return self._decide(now, windows, nearest, allowed=True), requests

    def _window(self, subject: str, limit: Limit, now: float) -> Window:
        key, number = (subject, limit.name, limit.window), int(now // limit.window)
        window: Window | None = self._windows.get(key)
        if window is None or window.number != number or window.limit != limit:
            window = self._windows[key] = Window(limit, number, window)
        return window

    def _decide(self, now: float, windows: list[Window], nearest: Window, *, allowed: bool) -> Decision:
        limit = nearest.limit
        return Decision(
            allowed=allowed,
            limit=limit.limit,
            remaining=max(0, nearest.left(now)) if allowed else 0,
            reset=(nearest.number + 1) * limit.window - now,
            retry_after=0.0 if allowed else nearest.closed_until - now,
            policy=limit.name,
            policies=tuple(each.limit for each in windows),
            fail_open=any(_is_open(each, now) for each in windows),
        )

    def _tell(self, subject: str, decision: Decision) -> Decision:
        if not decision.allowed:
            events.emit(events.RATE_LIMITED, self.name, subject=subject, policy=decision.policy)
        return decision

    def _ask(self, subject: str, window: Window) -> None:
        """Ask the store for a block, unless another caller of this environment got one meanwhile; never raises."""
        with window.asking:
            now = self._clock.wall()
            with self._lock:
                if window.tokens or _is_closed(window, now) or _is_open(window, now):
                    return
                added, request_id = window.request(now, self._block)
            try:
                total, before = self._count(subject, window, added, request_id)
            except StoreError as error:
                self._unanswered(subject, window, error)
                return
            with self._lock:
                window.answered(now, added, total, before)

    def _count(self, subject: str, window: Window, added: int, request_id: str) -> tuple[int, int]:
        """Add to a window's counter; returns its total, and that of the window before."""
        limit, (item, place) = window.limit, divmod(window.number, WINDOWS_AN_ITEM)
        ttl = ((item + 1) * WINDOWS_AN_ITEM + 1) * limit.window
        partition, prefix, store = self._partition(subject), f"{limit.name}#{limit.window}#", self._bound()
        here, last, request = f"n{place}", f"n{place - 1}", (self._writer, request_id)
        deltas = {here: added - window.denied}
        if place:
            deltas[last] = -window.unused
        elif window.unused or not window.knows_before:
            # Adding nothing reads a counter, and needs no other right than adding does.
            last, older = f"n{WINDOWS_AN_ITEM - 1}", ttl - WINDOWS_AN_ITEM * limit.window
            before = store.add(partition, f"{prefix}{item - 1}", {last: -window.unused}, ttl=older, request_id=request)
            window.before, window.unused, window.knows_before = before[last], 0, True
        counted = store.add(partition, f"{prefix}{item}", deltas, ttl=ttl, request_id=request)
        return counted[here], counted.get(last, window.before)

    def _partition(self, subject: str) -> str:
        if len(subject) > _LONGEST_SUBJECT or not subject.isascii():  # a key is UTF-8, and 2,048 bytes at most
            subject = "sha256:" + hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()
        return f"rate#{self.name}#{subject}"

    def _unanswered(self, subject: str, window: Window, error: StoreError) -> None:
        until = self._clock.wall() + _PAUSE_SECONDS
        if isinstance(error, StoreThrottledError) and window.refused:
            window.closed_until = until
            return
        window.open_until = until
        events.emit(events.RATE_LIMIT_OPEN, self.name, subject=subject, error=str(error))

    def _bound(self) -> Store:
        if self._store is None:
            self._store = default_store()
        return self._store


def _is_open(window: Window, now: float) -> bool:
    """Whether calls are let through uncounted; no longer than was meant, should the clock have stepped back."""
    return now < window.open_until <= now + _PAUSE_SECONDS


def _is_closed(window: Window, now: float) -> bool:
    return now < window.closed_until <= now + 2 * window.limit.window


rate_limiter = RateLimiter()
"""The process's limiter: 100 calls a minute and 1,000 an hour for each subject."""
