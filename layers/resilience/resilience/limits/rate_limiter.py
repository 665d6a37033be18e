"""Counting calls against limits that a fleet shares.

Each limit has fixed windows, aligned to the wall clock. The counter of a subject and window is in the store; an
environment takes tokens from it in blocks, smaller towards the end, and spends them without asking. A subject's first
calls in a window (one in a hundred of the limit, at least one) are let through on credit and charged with the first
block, so that who calls seldom costs no write at all. Together at most limit + environments x credit calls pass;
blocks never pass the limit.

Failure policy: when the store does not answer the call is let through, and an event says so.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

from cachetools import LRUCache

from resilience import _background, _validation, events
from resilience._clock import SYSTEM, Clock
from resilience._runtime import Bound, default_store
from resilience.errors import ConfigurationError, RateLimitedError, StoreError
from resilience.limits.decision import Decision, Limit
from resilience.store.protocol import Store

_LARGEST_BLOCK: Final = 20
_ASK_SECONDS: Final = 1.0
_REST_SECONDS: Final = 5.0


class _Bucket:
    """What this environment holds of one subject's window."""

    __slots__ = ("exhausted", "open_until", "owed", "taken", "tokens", "window")

    def __init__(self, window: int) -> None:
        self.window = window
        self.tokens = 0
        self.owed = 0
        self.taken = 0
        self.exhausted = False
        self.open_until = 0.0


class RateLimiter:
    """A limiter; ask it with `check` or `check_async`.

    Args:
        per_minute: Calls a subject and minute, default 100; None for no such limit.
        per_hour: Calls a subject and hour, default 1,000; None for no such limit.
        name: Separates the subjects of different limiters.
        store: Where environments count together; None takes the default store.
        clock: Its wall clock makes the windows.
        max_subjects: Subjects that this environment remembers, default 10,000; the least recently seen go first.

    Raises:
        ConfigurationError: A limit is below 1, or there is none.
    """

    def __init__(
        self,
        *,
        per_minute: int | None = 100,
        per_hour: int | None = 1_000,
        name: str = "api",
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
        self._clock = clock
        self._held = _Held(store)
        remembered = _validation.whole("max_subjects", max_subjects) * len(self.limits)
        self._buckets: LRUCache[tuple[str, str], _Bucket] = LRUCache(remembered)
        self._open_until = 0.0
        self._lock = threading.Lock()

    def check(self, subject: str, *, limits: Sequence[Limit] | None = None) -> Decision:
        """Count a call from plain code.

        Args:
            subject: Who calls, for instance a user's id or an address; it is part of a key in the store.
            limits: In place of the limiter's own, for this subject.
        """
        decision, leases = self._begin(subject, limits or self.limits)
        while leases:
            for lease in leases:
                lease.ask()
            decision, leases = self._begin(subject, limits or self.limits)
        return self._tell(subject, decision)

    async def check_async(self, subject: str, *, limits: Sequence[Limit] | None = None) -> Decision:
        """Count a call without blocking the event loop; see `check`."""
        decision, leases = self._begin(subject, limits or self.limits)
        while leases:
            for lease in leases:
                await self._ask(lease)
            decision, leases = self._begin(subject, limits or self.limits)
        return self._tell(subject, decision)

    async def _ask(self, lease: _Lease) -> None:
        """Ask, and wait no longer than a second: what looks names up or waits for a free thread knows no timeouts."""
        import asyncio

        try:
            async with asyncio.timeout(_ASK_SECONDS):
                await _background.run(lease.ask, blocking=self._held.store.blocking)
        except TimeoutError:
            self._open_until = self._clock.wall() + _REST_SECONDS
            events.emit(events.RATE_LIMIT_OPEN, self.name, error="no answer in time")

    def enforce(self, subject: str) -> Decision:
        """Like `check`, and raises RateLimitedError when the call is refused."""
        decision = self.check(subject)
        if not decision.allowed:
            raise RateLimitedError(decision)
        return decision

    def give_back(self, subject: str, *, limits: Sequence[Limit] | None = None) -> None:
        """Uncount a call that `check` let through; for limits of what fails, where it is known only afterwards.

        This environment spends what was given back on the subject's next call. Of a window that has ended nothing
        comes back.
        """
        now = self._clock.wall()
        with self._lock:
            for limit in limits or self.limits:
                bucket = self._bucket(subject, limit, now)
                if bucket.owed:
                    bucket.owed -= 1
                elif bucket.taken:
                    bucket.tokens += 1

    def _begin(self, subject: str, limits: Sequence[Limit]) -> tuple[Decision, list[_Lease]]:
        """Spend a token of every window, or say which blocks must be asked for first."""
        now = self._clock.wall()
        with self._lock:
            buckets = [(limit, self._bucket(subject, limit, now)) for limit in limits]
            leases = [
                _Lease(self, subject, limit, bucket)
                for limit, bucket in buckets
                if not bucket.tokens
                and not bucket.exhausted
                and not self._is_open(bucket, now)
                and not _credit(bucket, limit)
            ]
            refused = [limit for limit, bucket in buckets if bucket.exhausted and not bucket.tokens]
            if refused:
                return self._decide(now, buckets, max(refused, key=lambda limit: limit.window), allowed=False), []
            if not leases:
                for limit, bucket in buckets:
                    _spend(bucket, limit)
            nearest = min(buckets, key=lambda pair: _left(*pair) / pair[0].limit)[0]
            return self._decide(now, buckets, nearest, allowed=True), leases

    def _is_open(self, bucket: _Bucket, now: float) -> bool:
        """Whether calls are let through uncounted; no longer than was meant, should the clock have stepped back."""
        return now < bucket.open_until or now < self._open_until <= now + _REST_SECONDS

    def _bucket(self, subject: str, limit: Limit, now: float) -> _Bucket:
        window = int(now // limit.window)
        bucket: _Bucket | None = self._buckets.get((subject, limit.name))
        if bucket is None or bucket.window != window:
            bucket = self._buckets[subject, limit.name] = _Bucket(window)
        return bucket

    def _decide(self, now: float, buckets: list[tuple[Limit, _Bucket]], policy: Limit, *, allowed: bool) -> Decision:
        reset = (now // policy.window + 1) * policy.window - now
        bucket = next(bucket for limit, bucket in buckets if limit is policy)
        return Decision(
            allowed=allowed,
            limit=policy.limit,
            remaining=max(0, _left(policy, bucket)) if allowed else 0,
            reset=reset,
            retry_after=0.0 if allowed else reset,
            policy=policy.name,
            policies=tuple(limit for limit, _ in buckets),
            fail_open=any(self._is_open(each, now) for _, each in buckets),
        )

    def _tell(self, subject: str, decision: Decision) -> Decision:
        if not decision.allowed:
            events.emit(events.RATE_LIMITED, self.name, subject=subject, policy=decision.policy)
        return decision

    def lease(self, subject: str, limit: Limit, bucket: _Bucket) -> None:
        """Ask the store for a block; never raises."""
        with self._lock:
            left = limit.limit - bucket.taken
            # A fifth of what is left: few writes while there is plenty, and little is lost in other environments'
            # hands.
            block = max(1, min(_LARGEST_BLOCK, limit.limit // 10, left // 5))
            asked = block + bucket.owed
        partition = f"rate#{self.name}#{subject}"
        try:
            ttl = (bucket.window + 2) * limit.window
            total = self._held.store.add(partition, f"{limit.name}#{bucket.window}", {"n": asked}, ttl=ttl)["n"]
        except StoreError as error:
            with self._lock:
                bucket.open_until = self._clock.wall() + 1.0
            events.emit(events.RATE_LIMIT_OPEN, self.name, subject=subject, error=str(error))
            return
        with self._lock:
            granted = max(0, min(asked, limit.limit - (total - asked)) - bucket.owed)
            bucket.owed, bucket.taken = 0, min(total, limit.limit)
            bucket.tokens += granted
            bucket.exhausted = total >= limit.limit or granted == 0


class _Held(Bound):
    """The store in use."""

    def __init__(self, store: Store | None) -> None:
        self._given = self._store = store
        if store is None:
            self.follow_default()

    @property
    def store(self) -> Store:
        if self._store is None:
            self._store = default_store()
        return self._store

    def rebind(self) -> None:
        self._store = self._given


class _Lease:
    """A block that must be asked for before the call can be decided."""

    __slots__ = ("_bucket", "_limit", "_limiter", "_subject")

    def __init__(self, limiter: RateLimiter, subject: str, limit: Limit, bucket: _Bucket) -> None:
        self._limiter, self._subject, self._limit, self._bucket = limiter, subject, limit, bucket

    def ask(self) -> None:
        """Ask for it, unless another caller of this environment got one meanwhile."""
        if not self._bucket.tokens and not self._bucket.exhausted:
            self._limiter.lease(self._subject, self._limit, self._bucket)


def _credit(bucket: _Bucket, limit: Limit) -> bool:
    """Whether a call may still be let through before anything was asked of the store."""
    return bucket.taken == 0 and bucket.owed < max(1, limit.limit // 100)


def _spend(bucket: _Bucket, limit: Limit) -> None:
    if bucket.tokens:
        bucket.tokens -= 1
    elif _credit(bucket, limit):
        bucket.owed += 1


def _left(limit: Limit, bucket: _Bucket) -> int:
    return limit.limit - bucket.taken + bucket.tokens - (bucket.owed if not bucket.taken else 0)


rate_limiter = RateLimiter()
"""The process's limiter: 100 calls a minute and 1,000 an hour for each subject."""
