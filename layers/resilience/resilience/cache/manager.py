"""The cache manager: both levels, their statistics, and the operator's commands."""

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
        local_hits: Fresh answers from the first level.
        shared_hits: Fresh answers from the second level.
        misses: Calls that computed the value, or joined another call's flight.
        coalesced: Of the misses, those that joined another call's flight.
        stale: Stale answers served. A stale answer in place of a failed computation is also counted as a miss.
        hit_rate: Hits / (hits + misses), where hits = local_hits + shared_hits + stale; 0.0 before any answer.
        entries: Entries in the first level now.
        bytes: Bytes in the first level now.
        evictions: Entries evicted from the first level to stay within its bounds.
        invalidations: Keys invalidated by this environment.
        errors: Requests to the second level that failed.
        generation: How often the cache was cleared, as far as this environment knows.
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
    """The raw counts behind CacheStats. They are not locked: that threads may lose a count is accepted."""

    __slots__ = ("coalesced", "invalidations", "local_hits", "misses", "shared_hits", "stale")

    def __init__(self) -> None:
        self.coalesced = self.invalidations = self.local_hits = self.misses = self.shared_hits = self.stale = 0


class CacheManager(StoreBound):
    """A cache with a first level in memory and, if there is a shared store, a second level in the store.

    Args:
        max_entries: Maximum number of entries in memory, default 1,000.
        max_bytes: Maximum size of entries and keys in memory in bytes, default 16 MiB.
        store: The second level, which also announces clears to the fleet. None uses the default store; if that is only
            this process's memory (no table configured), there is no second level.
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
        """Reset counts and refreshes under way, which belong to the parent; values stay. See ForkAware."""
        self.counters = Counters()
        self._refreshing: dict[str, float] = {}

    def get_stats(self) -> CacheStats:
        """Return the current figures."""
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

        If the store does not answer, only this environment forgets, and a STORE_ERROR event is emitted. From an event
        loop, with a store that blocks, the announcement is made in the background.
        """
        self.local.clear()
        if self._bound()[0].store.blocking and in_event_loop():
            _background.submit(self._announce, blocking=True)
        else:
            self._announce()

    async def clear_async(self) -> bool:
        """Forget everything like `clear`, and wait for the store without blocking the event loop.

        Returns:
            False when the store did not answer and only this environment forgot.
        """
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
        """Drop expired entries from memory and return how many. The store drops its own by their time to live."""
        return self.local.sweep(self.clock.wall(), self.generation())

    def invalidate(self, key: str) -> bool:
        """Forget one key: here at once, in the store before this returns, elsewhere within the policy's local_seconds.

        From an event loop, with a store that blocks, use `invalidate_async`: this method then writes to the store in
        the background and returns True.

        Args:
            key: A key returned by a cached function's `.cache_key(...)`.

        Returns:
            False when the store was not updated, because it did not answer or other writers kept being first. Other
            environments may then serve the old value until it expires.
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
        """Forget one key like `invalidate`, and always wait for the store, without blocking the event loop."""
        self._forget(key)
        shared_state, shared = self._bound()
        if shared is None:
            return True
        return await _background.run(lambda: self._mark(shared, key), blocking=shared_state.store.blocking)

    def _mark(self, shared: SharedLevel, key: str) -> bool:
        heard = shared.invalidate(key, self.generation(), self.clock.wall())
        self._drop(key)  # again: a call may have read the old value from the store in the meantime
        return heard

    def generation(self) -> int:
        """Return how often the cache was cleared, as far as is known here; start to refresh the snapshot if due."""
        shared_state = self._bound()[0]
        shared_state.refresh_soon(self.clock)
        return shared_state.generation(_GENERATION)

    def rebind(self) -> None:
        """Switch to the new default store, and drop the values in memory, which belong to the old one."""
        self._binding = None
        self.local.clear()

    # ------------------------------------------------------------------ for cached functions

    @property
    def shared(self) -> SharedLevel | None:
        """The second level, or None if there is none."""
        return self._bound()[1]

    def claim(self, name: str, function: Callable[..., Any]) -> None:
        """Reserve a name, which starts the keys of a function, for that function.

        Raises:
            ConfigurationError: Another function has the name, and the two differ in code or are closures: results of
                one would be served for the other.
        """
        code, closed = getattr(function, "__code__", None), getattr(function, "__closure__", None)
        holder, held = self._names.setdefault(name, (function, code))
        if holder is not function and (closed or held != code):
            raise ConfigurationError("key_prefix", name, "another function has this name; tell them apart")

    def lookup(self, key: str) -> Entry | None:
        """Return the first level's entry, or None if there is none or the cache was cleared since."""
        entry = self.local.get(key)
        return entry if entry is not None and entry.generation == self.generation() else None

    def keep(self, key: str, entry: Entry, policy: CachePolicy) -> None:
        """Put an entry into the first level, unless the cache was cleared since or the policy is private."""
        if not policy.private and entry.generation == self.generation():
            self.local.put(key, entry, policy.keep(entry))

    def refreshing(self, key: str, now: float) -> bool:
        """Return whether a refresh of a key is under way here, or must not start yet (see `refreshed`)."""
        until = self._refreshing.get(key)
        return until is not None and now < until <= now + LONGEST_WAIT

    def claim_refresh(self, key: str, now: float) -> bool:
        """Claim the refresh of a key; return False while one is under way. A claim lapses after LONGEST_WAIT."""
        if self.refreshing(key, now):
            return False
        self.refreshed(key, now + LONGEST_WAIT)
        return True

    def refreshed(self, key: str, not_before: float | None = None) -> None:
        """Record that a refresh ended; the next one starts no sooner than `not_before` (Unix second)."""
        if not_before is None:
            self._refreshing.pop(key, None)
            return
        if len(self._refreshing) >= self._most_refreshing:
            self._refreshing.clear()  # at worst some refreshes start twice
        self._refreshing[key] = not_before

    def record_answer(self, kind: str, key: str, entry: Entry, policy: CachePolicy, now: float) -> None:
        """Count an answer from the cache, emit an event, and record the answer's age for `track_degradation`."""
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
"""The cache that `cached` uses by default: 1,000 entries, 16 MiB."""
