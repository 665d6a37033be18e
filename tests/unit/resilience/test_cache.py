"""The cache in one environment: what is cached, for how long, for whom, and how much of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    CacheManager,
    cache_manager,
    cached,
    flush,
    track_degradation,
)
from resilience.testing import ManualClock
from tests.unit.resilience.caching import Kit


def test_computes_once_while_fresh(kit: Callable[..., Kit], clock: ManualClock) -> None:
    """Within ttl the function is called once per key."""
    call = kit()
    assert [call("a")["n"], call("a")["n"], call("b")["n"]] == [1, 1, 2]
    clock.advance(60)
    assert call("a")["n"] == 3


def test_callers_get_copies(kit: Callable[..., Kit]) -> None:
    """Changing a returned value does not change other callers' values."""
    call = kit()
    call()["user"] = "stolen"
    assert call()["user"] == "u"


def test_errors_are_not_kept(kit: Callable[..., Kit]) -> None:
    """A failed call is repeated on the next request."""
    call = kit()
    call.source.down = True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            call()
    assert call.source.calls == 2


@pytest.mark.parametrize(("negative_ttl", "calls"), [(None, 2), (5.0, 1)])
def test_none_is_kept_only_when_asked(negative_ttl: float | None, calls: int, clock: ManualClock) -> None:
    """negative_ttl caches a None for that long; without it None is computed again."""
    asked = []

    @cached(60, negative_ttl=negative_ttl, manager=CacheManager(clock=clock))
    def nothing() -> None:
        asked.append(1)

    nothing()
    nothing()
    assert len(asked) == calls
    clock.advance(5)
    nothing()
    assert len(asked) == calls + 1


def test_stale_while_revalidate(kit: Callable[..., Kit], clock: ManualClock) -> None:
    """The old value is served immediately and marked, and the next call gets the new one."""
    call = kit(stale_while_revalidate=30)
    call()
    clock.advance(61)
    with track_degradation() as served:
        assert call()["n"] == 1
    assert flush(5)
    assert (served.stale, served.age) == (True, 61)
    assert call()["n"] == 2
    clock.advance(91)
    assert call()["n"] == 3


def test_stale_if_error(kit: Callable[..., Kit], clock: ManualClock) -> None:
    """When the function fails, the old value is served, marked, for up to the configured time."""
    call = kit(stale_if_error=300)
    call()
    call.source.down = True
    clock.advance(100)
    with track_degradation() as served:
        assert call()["n"] == 1
    assert served.stale
    clock.advance(259.9)
    assert call()["n"] == 1
    clock.advance(0.1)
    with pytest.raises(ConnectionError):
        call()


def test_invalidate_one_key(kit: Callable[..., Kit]) -> None:
    """The invalidated key is computed again, and the others are not."""
    call = kit()
    call("a")
    call("b")
    assert call.function.invalidate("a")
    assert (call("a")["n"], call("b")["n"]) == (3, 2)


def test_never_holds_more_than_its_bounds(clock: ManualClock) -> None:
    """Neither entries nor bytes exceed their limits, whatever is stored."""
    manager = CacheManager(max_entries=10, max_bytes=5_000, clock=clock)

    @cached(60, manager=manager)
    def text(n: int) -> str:
        return "x" * (n * 37 % 900)

    for n in range(200):
        text(n)
        stats = manager.get_stats()
        assert stats.entries <= 10
        assert stats.bytes <= 5_000
    assert manager.get_stats().evictions > 0

    @cached(60, manager=manager)
    def huge() -> str:
        return "x" * 6_000

    assert huge() == huge()
    assert manager.get_stats().bytes <= 5_000


def test_cleanup_drops_what_is_over(clock: ManualClock) -> None:
    """cleanup_expired returns the number of entries it dropped."""
    kit = Kit("plain", clock)
    kit("a")
    clock.advance(30)
    kit("b")
    clock.advance(30)
    assert kit.manager.cleanup_expired() == 1
    assert kit.manager.get_stats().entries == 1


def test_statistics(clock: ManualClock) -> None:
    """Statistics have hits, misses and the hit rate."""
    kit = Kit("plain", clock)
    for _ in range(4):
        kit("a")
    stats = kit.manager.get_stats()
    assert (stats.local_hits, stats.misses, stats.hit_rate, stats.entries) == (3, 1, 0.75, 1)
    assert stats.bytes > 0


def test_keys_tell_functions_and_arguments_apart() -> None:
    """Equal prefixes and arguments of two functions have different keys, and so have 1, True and "1"."""

    @cached(60, key_prefix="p")
    def one(a: Any, b: Any = None) -> None: ...

    @cached(60, key_prefix="p")
    def two(a: Any, b: Any = None) -> None: ...

    calls: list[Any] = [one.cache_key(x) for x in (1, True, "1", 1.0, None, [1], (1,), {"a": 1})]  # type: ignore[attr-defined]
    calls += [two.cache_key(1), one.cache_key(1, 2), one.cache_key([1, 2])]  # type: ignore[attr-defined]
    assert len(set(calls)) == len(calls)
    assert one.cache_key(1, None) == one.cache_key(a=1) == one.cache_key(b=None, a=1)  # type: ignore[attr-defined]


def test_what_cannot_be_stored_is_returned(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """A value that the codec does not support is not cached, and the log says so."""

    @cached(60, manager=CacheManager(clock=clock))
    def strange() -> object:
        return complex(1, 2)

    assert strange() == 1 + 2j
    assert "not cached" in caplog.text


def test_works_as_the_guide_shows() -> None:
    """The guide's names and calls work on the process's own cache."""

    @cached(ttl=300, key_prefix="user_data")
    async def get_user_data(user_id: str) -> dict[str, str]:
        return {"id": user_id}

    assert asyncio.run(get_user_data("7")) == {"id": "7"}
    assert cache_manager.get_stats().entries >= 1
    cache_manager.cleanup_expired()
    cache_manager.clear()
    assert cache_manager.get_stats().entries == 0
