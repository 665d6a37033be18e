"""The cache itself: both levels, their statistics, and the operator's commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from resilience import _background, _degradation, events
from resilience._clock import SYSTEM, Clock
from resilience._context import in_event_loop
from resilience._fork import register_after_fork
from resilience._runtime import StoreBound, default_store
from resilience._shared_state import SharedState, shared_state_of
from resilience.cache.entry import CachePolicy, Entry
from resilience.cache.local_level import LocalLevel
from resilience.cache.shared_level import SharedLevel
from resilience.cache.single_flight import LONGEST_WAIT, SingleFlight
from resilience.errors import ConfigurationError, StoreError
from resilience.store.protocol import Store

_GENERATION: Final = "cache"


class CacheStats(NamedTuple):
    """A cache's figures since the process started.

    Attributes:
        local_hits: Answers from the first level.
        shared_hits: Answers from the second level.
        misses: Calls that found nothing fresh and computed, or waited for who did.
        coalesced: Of the misses, those that waited for another call's computation.
        stale: Answers served after their time.
        hit_rate: Share of answers that came from the cache, from 0.0 to 1.0; 0.0 before any.
        entries: Entries in the first level now.
        bytes: Bytes in the first level now.
        evictions: Entries pushed out by the bounds.
        invalidations: Keys invalidated here.
        errors: Requests to the second level that failed.
        generation: How often the cache was cleared, as known here.
    """

    local_hits: int
    shared_hits: int
    misses: int
    coalesced: int
    stale: int
    hit_rate: float
    entries: int
    bytes: int
    evictions: int
    invalidations: int
    errors: int
    generation: int


class Counters:
    """What the statistics are made of; a lost count under threads is accepted."""

    __slots__ = ("coalesced", "invalidations", "local_hits", "misses", "shared_hits", "stale")

    def __init__(self) -> None:
        self.coalesced = self.invalidations = self.local_hits = self.misses = self.shared_hits = self.stale = 0


class CacheManager(StoreBound):
    """A cache with a level in memory and, where a store is shared, one in the store.

    Args:
        max_entries: Most entries in memory, default 1,000.
        max_bytes: Most bytes in memory, default 16 MiB.
        store: The second level, and where clears are announced. None takes the default store; one that is only this
            process's memory (no table configured) is not used as a second level.
        clock: Source of time.

    Raises:
        ConfigurationError: A bound is below 1.
    """

    def __init__(
        self,
        *,
        max_entries: int = 1_000,
        max_bytes: int = 16 * 1024 * 1024,
        store: Store | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.local = LocalLevel(max_entries, max_bytes)
        self.clock = clock
        self.single_flight = SingleFlight(clock)
        self.after_fork()
        register_after_fork(self)
        self._most_refreshing = max_entries
        self._given = store
        self._names: dict[str, tuple[object, object]] = {}
        self._binding: tuple[SharedState, SharedLevel | None] | None = None
        if store is None:
            self.follow_default()

    def after_fork(self) -> None:
        """See ForkAware: refreshes under way and counts are the parent's; values stay."""
        self.counters = Counters()
        self._refreshing: dict[str, float] = {}

    def get_stats(self) -> CacheStats:
        """The figures now."""
        counters, (entries, size) = self.counters, self.local.size()
        shared = self._bound()[1]
        hits = counters.local_hits + counters.shared_hits + counters.stale
        answers = hits + counters.misses
        return CacheStats(
            local_hits=counters.local_hits,
            shared_hits=counters.shared_hits,
            misses=counters.misses,
            coalesced=counters.coalesced,
            stale=counters.stale,
            hit_rate=hits / answers if answers else 0.0,
            entries=entries,
            bytes=size,
            evictions=self.local.evictions,
            invalidations=counters.invalidations,
            errors=shared.errors if shared else 0,
            generation=self.generation(),
        )

    def clear(self) -> None:
        """Forget everything: here at once, in every other environment within five seconds.

        When the store does not answer only this environment forgets, and an event says so.
        """
        self.local.clear()
        if self._bound()[0].store.blocking and in_event_loop():
            _background.submit(self._announce, blocking=True)
        else:
            self._announce()

    async def clear_async(self) -> bool:
        """Like `clear`, and waits for the store; False when it did not answer and only this environment forgot."""
        self.local.clear()
        return await _background.run(self._announce, blocking=self._bound()[0].store.blocking)

    def _announce(self) -> bool:
        try:
            self._bound()[0].advance(_GENERATION)
        except StoreError as error:
            events.emit(events.STORE_ERROR, "cache", operation="clear", error=str(error))
            return False
        return True

    def cleanup_expired(self) -> int:
        """Drop from memory what is past its time; returns how many entries. The store drops its own by their ttl."""
        return self.local.sweep(self.clock.wall(), self.generation())

    def invalidate(self, key: str) -> bool:
        """Forget one key: here at once, in the store before this returns, elsewhere within the policy's local_seconds.

        From an event loop, with a store that blocks, use `invalidate_async`: this then only starts the store's part.

        Args:
            key: As returned by a cached function's `.cache_key(...)`.

        Returns:
            False when the store did not answer; others may then serve the old value until it expires.
        """
        self._forget(key)
        shared_state, shared = self._bound()
        if shared is None:
            return True
        if shared_state.store.blocking and in_event_loop():
            _background.submit(lambda: self._mark(shared, key), blocking=True)
            return True
        return self._mark(shared, key)

    async def invalidate_async(self, key: str) -> bool:
        """Like `invalidate`, and always waits for the store, without blocking the event loop."""
        self._forget(key)
        shared_state, shared = self._bound()
        if shared is None:
            return True
        return await _background.run(lambda: self._mark(shared, key), blocking=shared_state.store.blocking)

    def _mark(self, shared: SharedLevel, key: str) -> bool:
        heard = shared.invalidate(key, self.generation(), self.clock.wall())
        self._drop(key)  # what somebody read from the store before it knew
        return heard

    def generation(self) -> int:
        """How often the cache was cleared, as known here; the snapshot is refreshed when it is due."""
        shared_state = self._bound()[0]
        shared_state.refresh_soon(self.clock)
        return shared_state.generation(_GENERATION)

    def rebind(self) -> None:
        """Use another default store; what is in memory belongs to the old one and is dropped."""
        self._binding = None
        self.local.clear()

    # ------------------------------------------------------------------ for cached functions

    @property
    def shared(self) -> SharedLevel | None:
        """The second level, or None."""
        return self._bound()[1]

    def claim(self, name: str, function: Callable[..., Any]) -> None:
        """Give a name, which begins its keys, to one function.

        Raises:
            ConfigurationError: Another function of that name, with other code or made anew around other variables, has
                it: the results of one would be taken for the other's.
        """
        code, closed = getattr(function, "__code__", None), getattr(function, "__closure__", None)
        holder, held = self._names.setdefault(name, (function, code))
        if holder is not function and (closed or held != code):
            raise ConfigurationError("key_prefix", name, "another function has this name; tell them apart")

    def lookup(self, key: str) -> Entry | None:
        """What the first level has, unless a clear made it old."""
        entry = self.local.get(key)
        return entry if entry is not None and entry.generation == self.generation() else None

    def keep(self, key: str, entry: Entry, policy: CachePolicy) -> None:
        """Put a value into the first level, unless its generation is over or it belongs to one user."""
        if not policy.private and entry.generation == self.generation():
            self.local.put(key, entry, policy.keep(entry))

    def refreshing(self, key: str, now: float) -> bool:
        """Whether a refresh of a key is under way, here or elsewhere, as far as this environment knows."""
        until = self._refreshing.get(key)
        return until is not None and now < until <= now + LONGEST_WAIT

    def claim_refresh(self, key: str, now: float) -> bool:
        """Begin to refresh a key; False while one is under way. One that hangs is given up after a while."""
        if self.refreshing(key, now):
            return False
        self.refreshed(key, now + LONGEST_WAIT)
        return True

    def refreshed(self, key: str, not_before: float | None = None) -> None:
        """A refresh ended; not_before (wall clock) keeps the next one from beginning sooner."""
        if not_before is None:
            self._refreshing.pop(key, None)
            return
        if len(self._refreshing) >= self._most_refreshing:
            self._refreshing.clear()  # at worst some are begun twice
        self._refreshing[key] = not_before

    def record_answer(self, kind: str, key: str, entry: Entry, policy: CachePolicy, now: float) -> None:
        """Count an answer from the cache and leave its age where a middleware finds it."""
        stale = kind == "stale"
        if stale:
            self.counters.stale += 1
        elif kind == "shared":
            self.counters.shared_hits += 1
        else:
            self.counters.local_hits += 1
        _degradation.record_cached(policy.age(entry, now), stale=stale)
        if events.wanted(events.CACHE_STALE if stale else events.CACHE_HIT):
            events.emit(events.CACHE_STALE if stale else events.CACHE_HIT, key, level=kind)

    def _forget(self, key: str) -> None:
        self.counters.invalidations += 1
        self._drop(key)

    def _drop(self, key: str) -> None:
        self.single_flight.forget(key)
        self.local.drop(key)

    def _bound(self) -> tuple[SharedState, SharedLevel | None]:
        binding = self._binding
        if binding is None:
            store = self._given or default_store()
            shared = SharedLevel(store) if self._given is not None or store.blocking else None
            binding = self._binding = (shared_state_of(store), shared)
        return binding


cache_manager = CacheManager()
"""The cache that `cached` uses unless it is given another: 1,000 entries, 16 MiB."""
