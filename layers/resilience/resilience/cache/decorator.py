"""The `cached` decorator, and how a call finds its value.

A fresh value in the first level is decoded and returned. Otherwise the process's calls for a key form a single flight:
one of them reads the second level, computes the value if necessary and stores it, while the others wait for its result.
A stale value is returned immediately if the policy allows it (stale-while-revalidate), and one environment of the fleet
refreshes it. It can also replace the result of a computation that failed (stale-if-error).

`_Cached` holds the logic for plain and async functions. `_Plain` and `_Async` differ only in how they call and wait.
"""

from __future__ import annotations

import contextvars
import functools
import inspect
import logging
from collections.abc import Callable, Coroutine
from types import CoroutineType
from typing import Any, ParamSpec, TypeVar, cast

from resilience import _background, events
from resilience._deadline import forget_deadline
from resilience._degradation import Degradation, record_all, track_degradation
from resilience._functions import is_async, mark, name_of, refuse_pending, refuse_unsupported
from resilience.cache.codec import canonical, decode, encode
from resilience.cache.entry import CachePolicy, Entry
from resilience.cache.function import CachedFunction
from resilience.cache.manager import CacheManager, cache_manager
from resilience.cache.shared_level import Lookup
from resilience.cache.single_flight import REFRESH, Flight, Work, run_plain
from resilience.errors import ConfigurationError

P = ParamSpec("P")
R = TypeVar("R")
logger = logging.getLogger("resilience")
_REFRESH_AGAIN_SECONDS = 1.0


def cached(
    ttl: float,
    *,
    key_prefix: str = "",
    key: Callable[..., object] | None = None,
    stale_while_revalidate: float = 0.0,
    stale_if_error: float = 0.0,
    negative_ttl: float | None = None,
    local_seconds: float = 5.0,
    private: bool = False,
    manager: CacheManager = cache_manager,
) -> Callable[[Callable[P, R]], CachedFunction[P, R]]:
    """Cache the results of a plain or async function.

    Args:
        ttl: Time to live: seconds for which a value is fresh; more than 0.
        key_prefix: Starts every key of the function. It groups keys for human readers, and distinguishes functions of
            the same name, such as closures made by a factory.
        key: Takes the call's arguments and returns a value, supported by the codec, that identifies the call. None uses
            all arguments by name, including defaults. Methods need it, to leave out `self`.
        stale_while_revalidate: Seconds after ttl during which the old value is served while one refresh is under way.
        stale_if_error: Seconds after ttl during which the old value is served if the function fails.
        negative_ttl: Time to live of a None result in seconds. None: a None result is not cached.
        local_seconds: Seconds for which memory answers without asking the second level again, default 5. An
            `invalidate` in another environment takes effect here within this time. No effect without a second level.
        private: Whether values belong to one user. They are kept only in the store and read from it on every call, so
            that no environment serves an old value after `invalidate`. Costs one store read per call. Without a second
            level, and while the store is down, nothing is cached.
        manager: The cache.

    Returns:
        A decorator. The decorated function has the methods `.cache_key(...)`, `.invalidate(...)` and
        `.invalidate_async(...)`, which take the function's arguments, and the attribute `.cache`, the manager. Each
        caller gets its own copy of the value. A value that the codec does not support is returned but not cached, and
        a warning is logged. A call whose key the codec does not support raises TypeError or ValueError.

    Raises:
        ConfigurationError: A setting is out of range, the function cannot be decorated (such as a generator), or
            another function has the same name and prefix.
    """
    policy = CachePolicy(
        ttl=ttl,
        stale_while_revalidate=stale_while_revalidate,
        stale_if_error=stale_if_error,
        negative_ttl=negative_ttl,
        local_seconds=local_seconds,
        private=private,
    )

    def decorate(function: Callable[P, R]) -> CachedFunction[P, R]:
        refuse_unsupported(function)
        kind: type[_Cached] = _Async if is_async(function) else _Plain
        source = kind(function, key_prefix, key, policy, manager)
        wrapper: Any = functools.update_wrapper(source.wrapper(), function)
        wrapper.cache_key = source.key_of
        wrapper.invalidate = lambda *args, **kwargs: manager.invalidate(source.key_of(*args, **kwargs))
        wrapper.invalidate_async = lambda *args, **kwargs: manager.invalidate_async(source.key_of(*args, **kwargs))
        wrapper.cache = manager
        return cast("CachedFunction[P, R]", wrapper)

    return mark(decorate, "cached")


class _Cached:
    """A cached function with its keys and its policy."""

    def __init__(
        self,
        function: Callable[..., Any],
        prefix: str,
        key: Callable[..., object] | None,
        policy: CachePolicy,
        manager: CacheManager,
    ) -> None:
        self.function, self.policy, self.manager = function, policy, manager
        self._key = key
        self._signature = inspect.signature(function)
        self._name = [prefix, name_of(function)]
        manager.claim(" ".join(self._name), function)

    def key_of(self, *args: Any, **kwargs: Any) -> str:
        """Return the key of a call: canonical JSON, so that different calls never share a key."""
        if self._key is not None:
            return canonical([*self._name, self._key(*args, **kwargs)])
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return canonical([*self._name, dict(bound.arguments)])

    def wrapper(self) -> Callable[..., Any]:
        raise NotImplementedError

    async def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise NotImplementedError

    async def _ask(self, work: Callable[[], Any]) -> Any:
        raise NotImplementedError

    def _later(self, key: str, work: Work) -> None:
        raise NotImplementedError

    def fresh(self, key: str, now: float) -> Entry | None:
        """Return the first level's entry if it may be served without asking the second level, else None."""
        if self.policy.private:
            return None
        entry = self.manager.lookup(key)
        if entry is None or self._recheck(entry, now):
            return None
        if self.policy.fresh(entry, now):
            self.manager.record_answer("local", key, entry, self.policy, now)
            return entry
        if self.policy.revalidatable(entry, now) and self.manager.refreshing(key, now):
            self.manager.record_answer("stale", key, entry, self.policy, now)
            return entry
        return None

    def _recheck(self, entry: Entry, now: float) -> bool:
        if entry.checked is None or self.manager.shared is None:
            return False
        return not entry.checked <= now < entry.checked + self.policy.local_seconds

    async def _find(
        self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any], flight: Flight
    ) -> tuple[Any, Degradation]:
        """Return the value and its degradation, which every caller of the flight records for itself."""
        with track_degradation() as served:
            return await self.find(key, args, kwargs, flight), served

    async def find(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any], flight: Flight) -> Any:
        """Return the value when the first level alone cannot answer. This is the work of one flight."""
        now, generation = self.manager.clock.wall(), self.manager.generation()
        known = None if self.policy.private else self.manager.lookup(key)
        found = await self._look(key, generation, now)
        entry = found.entry or (None if found.invalidated or self._outlived(known, found, now) else known)
        if entry is not None and self.policy.fresh(entry, now):
            if found.entry is None and known is not None:
                # The second level has no tombstone (or did not answer): trust the value for another local_seconds.
                entry = Entry(known.text, known.created, known.generation, now)
            self._keep(key, entry, flight)
            self.manager.record_answer("shared" if found.entry else "local", key, entry, self.policy, now)
            return decode(entry.text)
        if entry is not None and self.policy.revalidatable(entry, now):
            self._keep(key, entry if entry.checked is None else entry._replace(checked=now), flight)
            if self.manager.claim_refresh(key, now):
                self._later(key, lambda own: self._refresh(key, args, kwargs, own))
            self.manager.record_answer("stale", key, entry, self.policy, now)
            return decode(entry.text)
        stale = entry or (None if found.invalidated else known)
        return await self._fetch(key, lambda: self._compute(args, kwargs), flight, found, stale)

    def _outlived(self, known: Entry | None, found: Lookup, now: float) -> bool:
        """Return whether the local value went unchecked for so long that a tombstone could have come and expired."""
        from resilience.cache.shared_level import TOMBSTONE_SECONDS

        checked = known.checked if known is not None and found.answered else None
        return checked is not None and not checked <= now < checked + TOMBSTONE_SECONDS - self.policy.local_seconds

    async def _look(self, key: str, generation: int, now: float) -> Lookup:
        shared = self.manager.shared
        if shared is None:
            return Lookup()
        found: Lookup = await self._ask(lambda: shared.get(key, generation, now))
        return found

    async def _fetch(
        self,
        key: str,
        compute: Callable[[], Coroutine[Any, Any, Any]],
        flight: Flight,
        found: Lookup,
        stale: Entry | None,
    ) -> Any:
        generation = self.manager.generation()
        self.manager.counters.misses += 1
        events.emit(events.CACHE_MISS, key)
        try:
            value, cacheable = await self._computed(compute)
        except Exception:
            now = self.manager.clock.wall()
            if stale is None or not self.policy.usable_on_error(stale, now):
                raise
            self.manager.record_answer("stale", key, stale, self.policy, now)
            return decode(stale.text)
        if cacheable:
            await self._store(key, value, generation, flight, found)
        return value

    async def _computed(self, compute: Callable[[], Coroutine[Any, Any, Any]]) -> tuple[Any, bool]:
        """Return the value and whether it may be cached: a fallback's value must not pass for the real one."""
        with track_degradation() as served:
            value = await compute()
        record_all(served)
        return value, not served.fallbacks

    async def _store(self, key: str, value: Any, generation: int, flight: Flight, found: Lookup) -> None:
        if value is None and self.policy.negative_ttl is None:
            await self._retire(key, generation, flight, found)
            return
        try:
            text = encode(value)
        except (TypeError, ValueError) as error:
            logger.warning("%s: not cached: %s", self._name[1], error)
            return
        now, shared = self.manager.clock.wall(), self.manager.shared
        # Recheck it after local_seconds even if it is not written: other environments can still invalidate the key.
        entry = Entry(text, now, generation, None if shared is None else now)
        if shared is not None and not flight.forgotten and found.answered and self._shareable(entry):
            keep = self.policy.keep(entry)
            if await self._ask(lambda: shared.put(key, entry, found, keep)) is False:
                return  # another environment wrote or invalidated meanwhile, and takes precedence
        self._keep(key, entry, flight)

    async def _retire(self, key: str, generation: int, flight: Flight, found: Lookup) -> None:
        """Remove a cached value after the function returned None, which is not cached."""
        now, shared = self.manager.clock.wall(), self.manager.shared
        if not flight.forgotten:
            self.manager.local.drop(key)
            if shared is not None and found.entry is not None:
                await self._ask(lambda: shared.put_tombstone(key, generation, found, now))

    def _shareable(self, entry: Entry) -> bool:
        from resilience.cache.shared_level import LARGEST

        return entry.size <= LARGEST

    def _keep(self, key: str, entry: Entry, flight: Flight) -> None:
        if not flight.forgotten:
            self.manager.keep(key, entry, self.policy)

    async def _refresh(self, key: str, args: tuple[Any, ...], kwargs: dict[str, Any], flight: Flight) -> None:
        """Recompute a value that was served stale, in one environment of the fleet; on an error the old value stays."""
        now, generation, shared = self.manager.clock.wall(), self.manager.generation(), self.manager.shared
        if shared is not None and not await self._ask(lambda: shared.lease(key, generation, now, self.policy.ttl)):
            self.manager.refreshed(key, now + max(_REFRESH_AGAIN_SECONDS, self.policy.local_seconds))
            return
        not_before = None
        try:
            found = await self._look(key, generation, now)
            if found.entry is not None and self.policy.fresh(found.entry, now):
                self._keep(key, found.entry, flight)
                return
            value, cacheable = await self._computed(lambda: self._compute(args, kwargs))
            if cacheable:
                await self._store(key, value, generation, flight, found)
        except Exception:
            not_before = self.manager.clock.wall() + _REFRESH_AGAIN_SECONDS
            logger.warning("%s: refresh failed; the old value stays", self._name[1], exc_info=True)
        finally:
            self.manager.refreshed(key, not_before)

    def _joined(self) -> None:
        self.manager.counters.misses += 1
        self.manager.counters.coalesced += 1


class _Plain(_Cached):
    """A cached plain function: blocks while it waits, and refreshes in a thread."""

    def wrapper(self) -> Callable[..., Any]:
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            key = self.key_of(*args, **kwargs)
            entry = self.fresh(key, self.manager.clock.wall())
            if entry is not None:
                return decode(entry.text)
            if self.policy.private:
                return run_plain(self.find(key, args, kwargs, Flight()))
            answer = self.manager.single_flight.do(key, lambda own: self._find(key, args, kwargs, own), self._joined)
            return _own_copy(*answer)

        return wrapper

    async def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = self.function(*args, **kwargs)
        if value.__class__ is CoroutineType:
            value.close()
            raise ConfigurationError("function", self._name[1], "returns a coroutine; decorate the async function")
        refuse_pending(self.function, value)
        return value

    async def _ask(self, work: Callable[[], Any]) -> Any:
        return work()

    def _later(self, key: str, work: Work) -> None:
        def refresh() -> None:
            self.manager.single_flight.do(REFRESH + key, work, lambda: None)

        _background.submit(refresh, blocking=True, kind="work")


class _Async(_Cached):
    """A cached async function: reaches a blocking store through a thread, and refreshes in a task."""

    def wrapper(self) -> Callable[..., Any]:
        async def wrapper(*args: Any, **kwargs: Any) -> Any:
            key = self.key_of(*args, **kwargs)
            entry = self.fresh(key, self.manager.clock.wall())
            if entry is not None:
                return decode(entry.text)
            if self.policy.private:
                # No single flight: a computation that began before the user's write must not answer a call after it.
                return await self.find(key, args, kwargs, Flight())
            answer = await self.manager.single_flight.do_async(
                key, lambda own: self._find(key, args, kwargs, own), self._joined
            )
            return _own_copy(*answer)

        return wrapper

    async def _compute(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return await self.function(*args, **kwargs)

    async def _ask(self, work: Callable[[], Any]) -> Any:
        shared = self.manager.shared
        return await _background.run(work, blocking=shared is not None and shared.store.blocking)

    def _later(self, key: str, work: Work) -> None:
        import asyncio

        async def refresh() -> None:
            await self.manager.single_flight.do_async(REFRESH + key, work, lambda: None)

        # The refresh may outlive the request, so the request's deadline must not apply to it.
        context = contextvars.copy_context()
        context.run(forget_deadline)
        _background.track(asyncio.get_running_loop().create_task(refresh(), context=context))


def _own_copy(value: Any, served: Degradation) -> Any:
    """Return this caller's copy of a flight's value, and record the flight's degradation for it."""
    record_all(served)
    return _copy(value)


def _copy(value: Any) -> Any:
    """Return a deep copy, so that callers of one flight cannot change each other's value."""
    import copy

    if isinstance(value, str | int | float | bool | bytes | None):
        return value
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - it is not kept either, and was asked for by these callers alone
        return value
