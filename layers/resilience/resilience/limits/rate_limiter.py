"""A rate limiter with limits that a fleet shares.

The store holds a subject's counters, one per fixed window (`window` explains how a sliding window is estimated from
them). An environment takes tokens from a counter in blocks, which get smaller as the limit comes near, and spends them
without asking the store. A subject's first calls in a window (1 % of the limit, at least one) pass on credit and are
charged with the first block, so that an infrequent caller costs no write at all. In total at most limit + environments
x credit calls pass; blocks never exceed the limit. If a request for a block gets no answer, it is repeated under the
same id, so that it counts once.

Failure policy: when the store does not answer, the call is let through and a RATE_LIMIT_OPEN event is emitted. When the
store only throttles requests, a subject that was refused stays refused.
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
    """A rate limiter; call `check` or `check_async`.

    Args:
        per_minute: Calls per subject and minute, default 100; None for no limit per minute.
        per_hour: Calls per subject and hour, default 1,000; None for no limit per hour.
        name: Separates this limiter's subjects from those of other limiters.
        block: Maximum number of tokens that an environment takes at once, default 20. With 1 the store counts exactly
            the calls made, at the cost of one write per call. Use 1 for limits on failures, such as wrong passwords,
            where tokens held by many environments would look like failures.
        store: Where all environments count; None uses the default store.
        clock: Its wall clock defines the windows.
        max_subjects: Number of subjects that this environment remembers, default 10,000. The least recently seen are
            dropped first, and while the memory is full, no call passes on credit.

    Raises:
        ConfigurationError: A limit, the block or max_subjects is below 1, the name is empty, or there is no limit.
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
        """Give up all tokens, which belong to the parent; see ForkAware."""
        self._lock = threading.Lock()
        self._writer = os.urandom(4).hex()
        self._windows: LRUCache[tuple[str, str, int], Window] = LRUCache(self._remembered)

    def restored(self) -> None:
        """Give up all tokens after a restore: otherwise every copy of the memory would spend them."""
        self.after_fork()

    def rebind(self) -> None:
        """Switch to the new default store, unless the limiter was given a store."""
        self._store = self._given

    def check(self, subject: str, *, limits: Sequence[Limit] | None = None) -> Decision:
        """Count a call from plain code, and decide whether it may proceed.

        Args:
            subject: What is rate-limited, for instance a user id or an address; of any length.
            limits: Limits for this subject, in place of the limiter's own.

        Returns:
            Whether the call may proceed, and how much is left of the limits.
        """
        decision, requests = self._begin(subject, limits or self.limits)
        while requests:
            for request in requests:
                self._ask(subject, request)
            decision, requests = self._begin(subject, limits or self.limits)
        return self._tell(subject, decision)

    async def check_async(self, subject: str, *, limits: Sequence[Limit] | None = None) -> Decision:
        """Count a call like `check`, without blocking the event loop."""
        decision, requests = self._begin(subject, limits or self.limits)
        while requests:
            for request in requests:
                await _background.run(partial(self._ask, subject, request), blocking=self._bound().blocking)
            decision, requests = self._begin(subject, limits or self.limits)
        return self._tell(subject, decision)

    def enforce(self, subject: str) -> Decision:
        """Count a call like `check`.

        Raises:
            RateLimitedError: The call is refused.
        """
        decision = self.check(subject)
        if not decision.allowed:
            raise RateLimitedError(decision)
        return decision

    def refund(self, subject: str, *, limits: Sequence[Limit] | None = None) -> None:
        """Take back a call that `check` allowed: for limits on failures, where the outcome is known only afterwards.

        The returned token is spent on the subject's next call in this environment. Tokens beyond one block go back to
        the store; with `block=1` all of them do. The refund applies to the current window: if the call's own window has
        ended and no call was counted since, nothing is returned.
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
        """Return the number of tokens beyond one block; 0 while a request without an answer is unresolved."""
        return 0 if window.pending else max(0, window.tokens - (self._block if self._block > 1 else 0))

    def _return(self, subject: str, window: Window) -> None:
        """Give surplus tokens back to the store. Failure policy: if it does not answer, they stay counted."""
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
        """Spend a token of every limit, or return the windows for which the store must be asked first."""
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
        """Ask the store for a block, unless another caller here got an answer meanwhile; never raise StoreError."""
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
        """Add to a window's counter; return its total and that of the previous window."""
        limit, (item, place) = window.limit, divmod(window.number, WINDOWS_AN_ITEM)
        ttl = ((item + 1) * WINDOWS_AN_ITEM + 1) * limit.window
        partition, prefix, store = self._partition(subject), f"{limit.name}#{limit.window}#", self._bound()
        here, last, request = f"n{place}", f"n{place - 1}", (self._writer, request_id)
        deltas = {here: added - window.denied}
        if place:
            deltas[last] = -window.unused
        elif window.unused or not window.knows_before:
            # Adding 0 reads a counter, and needs no permission beyond the one to add.
            last, older = f"n{WINDOWS_AN_ITEM - 1}", ttl - WINDOWS_AN_ITEM * limit.window
            before = store.add(partition, f"{prefix}{item - 1}", {last: -window.unused}, ttl=older, request_id=request)
            window.before, window.unused, window.knows_before = before[last], 0, True
        counted = store.add(partition, f"{prefix}{item}", deltas, ttl=ttl, request_id=request)
        return counted[here], counted.get(last, window.before)

    def _partition(self, subject: str) -> str:
        if len(subject) > _LONGEST_SUBJECT or not subject.isascii():  # DynamoDB: UTF-8 keys of at most 2,048 bytes
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
    """Return whether calls pass uncounted; an end further away than the pause means that the clock stepped back."""
    return now < window.open_until <= now + _PAUSE_SECONDS


def _is_closed(window: Window, now: float) -> bool:
    return now < window.closed_until <= now + 2 * window.limit.window


rate_limiter = RateLimiter()
"""The process-wide limiter: 100 calls per minute and 1,000 per hour for each subject."""
