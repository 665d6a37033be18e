"""The cache: what is kept, for how long, for whom, and how much of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    CacheManager,
    ConfigurationError,
    MemoryStore,
    cache_manager,
    cached,
    flush,
    track_served,
)
from resilience.testing import ManualClock
from tests.integration.resilience.helpers import FaultyStore


class Source:
    """Something slow: counts how often it is asked, and fails on order."""

    def __init__(self) -> None:
        self.calls = 0
        self.down = False
        self.value: Any = None

    def plain(self, user: str = "u") -> Any:
        self.calls += 1
        if self.down:
            raise ConnectionError
        return self.value or {"user": user, "n": self.calls}

    async def asynchronous(self, user: str = "u") -> Any:
        await asyncio.sleep(0)
        return self.plain(user)


class Kit:
    """A cached function over a source, plain or async, called the same way."""

    def __init__(self, kind: str, clock: ManualClock, store: Any = None, **settings: Any) -> None:
        self.source, self.clock = Source(), clock
        self.manager = CacheManager(clock=clock, store=store)
        source = self.source.plain if kind == "plain" else self.source.asynchronous
        settings = {"ttl": 60, "key": lambda user="u": user, "manager": self.manager} | settings
        self.function: Any = cached(**settings)(source)
        self.kind = kind

    def __call__(self, *args: Any) -> Any:
        if self.kind == "plain":
            return self.function(*args)

        async def scenario() -> Any:
            value = await self.function(*args)
            for _ in range(5):
                await asyncio.sleep(0)
            return value

        return asyncio.run(scenario())


@pytest.fixture(params=["plain", "async"])
def kit(request: pytest.FixtureRequest, clock: ManualClock) -> Callable[..., Kit]:
    return lambda **settings: Kit(request.param, clock, **settings)


def test_computes_once_while_fresh(kit: Callable[..., Kit], clock: ManualClock) -> None:
    """Within ttl the function is called once a key."""
    call = kit()
    assert [call("a")["n"], call("a")["n"], call("b")["n"]] == [1, 1, 2]
    clock.advance(60)
    assert call("a")["n"] == 3


def test_callers_get_copies(kit: Callable[..., Kit]) -> None:
    """Changing what was returned changes nobody else's answer."""
    call = kit()
    call()["user"] = "stolen"
    assert call()["user"] == "u"


def test_errors_are_not_kept(kit: Callable[..., Kit]) -> None:
    """A call that failed is made again."""
    call = kit()
    call.source.down = True
    for _ in range(2):
        with pytest.raises(ConnectionError):
            call()
    assert call.source.calls == 2


@pytest.mark.parametrize(("negative_ttl", "calls"), [(None, 2), (5.0, 1)])
def test_none_is_kept_only_when_asked(negative_ttl: float | None, calls: int, clock: ManualClock) -> None:
    """negative_ttl keeps a None for that long; without it None is computed again."""
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
    """The old value is served at once and marked, and the next call finds the new one."""
    call = kit(stale_while_revalidate=30)
    call()
    clock.advance(61)
    with track_served() as served:
        assert call()["n"] == 1
    assert flush(5)
    assert (served.stale, served.age) == (True, 61)
    assert call()["n"] == 2
    clock.advance(91)
    assert call()["n"] == 3


def test_stale_if_error(kit: Callable[..., Kit], clock: ManualClock) -> None:
    """When the function fails, the old value stands in, marked, for as long as it may."""
    call = kit(stale_if_error=300)
    call()
    call.source.down = True
    clock.advance(100)
    with track_served() as served:
        assert call()["n"] == 1
    assert served.stale
    clock.advance(300)
    with pytest.raises(ConnectionError):
        call()


def test_invalidate_one_key(kit: Callable[..., Kit]) -> None:
    """The key is computed again, the others are not."""
    call = kit()
    call("a")
    call("b")
    assert call.function.invalidate("a")
    assert (call("a")["n"], call("b")["n"]) == (3, 2)


def test_a_thousand_misses_at_once_compute_once(clock: ManualClock) -> None:
    """A thousand tasks that miss together wait for one computation."""
    kit = Kit("async", clock)

    async def scenario() -> None:
        answers = await asyncio.gather(*(kit.function("a") for _ in range(1_000)))
        assert {answer["n"] for answer in answers} == {1}
        answers[0]["n"] = 99
        assert answers[1]["n"] == 1

    asyncio.run(scenario())
    assert kit.source.calls == 1
    assert kit.manager.get_stats().coalesced == 999


def test_threads_that_miss_at_once_compute_once(clock: ManualClock) -> None:
    """Ten threads that miss while one computes wait for it."""
    started, go, calls, answers = threading.Event(), threading.Event(), [], []

    @cached(60, manager=CacheManager(clock=clock))
    def slow() -> int:
        calls.append(1)
        started.set()
        go.wait(10)
        return 7

    threads = [threading.Thread(target=lambda: answers.append(slow())) for _ in range(10)]
    threads[0].start()
    assert started.wait(10)
    for thread in threads[1:]:
        thread.start()
    go.set()
    for thread in threads:
        thread.join(10)
    assert (len(calls), answers) == (1, [7] * 10)


def test_a_cancelled_leader_does_not_take_the_others_along(clock: ManualClock) -> None:
    """The computation goes on for those who still wait."""
    kit = Kit("async", clock)

    async def scenario() -> None:
        leader = asyncio.create_task(kit.function("a"))
        follower = asyncio.create_task(kit.function("a"))
        await asyncio.sleep(0)
        leader.cancel()
        assert (await follower)["n"] == 1

    asyncio.run(scenario())


def test_what_was_under_way_at_an_invalidation_is_not_kept(clock: ManualClock) -> None:
    """A value computed from before a write is neither stored nor joined after it."""
    gate, calls = asyncio.Event, []

    async def scenario() -> None:
        hold = gate()

        @cached(60, manager=CacheManager(clock=clock))
        async def read() -> int:
            calls.append(1)
            number = len(calls)
            if number == 1:
                await hold.wait()
            return number

        before = asyncio.create_task(read())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await read.invalidate_async()  # type: ignore[attr-defined]
        assert await read() == 2
        hold.set()
        assert await before == 1
        assert await read() == 2

    asyncio.run(scenario())


def test_never_holds_more_than_its_bounds(clock: ManualClock) -> None:
    """Neither entries nor bytes go over, whatever is put in."""
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
    """cleanup_expired tells how many entries it dropped."""
    kit = Kit("plain", clock)
    kit("a")
    clock.advance(30)
    kit("b")
    clock.advance(30)
    assert kit.manager.cleanup_expired() == 1
    assert kit.manager.get_stats().entries == 1


def test_statistics(clock: ManualClock) -> None:
    """Hits, misses and the rate between them."""
    kit = Kit("plain", clock)
    for _ in range(4):
        kit("a")
    stats = kit.manager.get_stats()
    assert (stats.local_hits, stats.misses, stats.hit_rate, stats.entries) == (3, 1, 0.75, 1)
    assert stats.bytes > 0


def test_keys_tell_functions_and_arguments_apart() -> None:
    """The same prefix and the same arguments of two functions, or 1 and True and "1", are different keys."""

    @cached(60, key_prefix="p")
    def one(a: Any, b: Any = None) -> None: ...

    @cached(60, key_prefix="p")
    def two(a: Any, b: Any = None) -> None: ...

    calls: list[Any] = [one.cache_key(x) for x in (1, True, "1", 1.0, None, [1], (1,), {"a": 1})]  # type: ignore[attr-defined]
    calls += [two.cache_key(1), one.cache_key(1, 2), one.cache_key([1, 2])]  # type: ignore[attr-defined]
    assert len(set(calls)) == len(calls)
    assert one.cache_key(1, None) == one.cache_key(a=1) == one.cache_key(b=None, a=1)  # type: ignore[attr-defined]


def test_what_cannot_be_stored_is_returned(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """A value that the codec does not support is not kept, and the log says so."""

    @cached(60, manager=CacheManager(clock=clock))
    def strange() -> object:
        return complex(1, 2)

    assert strange() == 1 + 2j
    assert "not cached" in caplog.text


def test_works_as_the_guide_shows() -> None:
    """The names and calls of the guide, on the process's own cache."""

    @cached(ttl=300, key_prefix="user_data")
    async def get_user_data(user_id: str) -> dict[str, str]:
        return {"id": user_id}

    assert asyncio.run(get_user_data("7")) == {"id": "7"}
    assert cache_manager.get_stats().entries >= 1
    cache_manager.cleanup_expired()
    cache_manager.clear()
    assert cache_manager.get_stats().entries == 0


# ---------------------------------------------------------------------- several environments


def fleet(kind: str, clock: ManualClock, **settings: Any) -> tuple[Kit, Kit, MemoryStore]:
    shared = MemoryStore(clock=clock)
    one, two = (Kit(kind, clock, FaultyStore(shared), **settings) for _ in range(2))
    two.source = one.source
    two.function = cached(ttl=60, key=lambda user="u": user, manager=two.manager, **settings)(
        one.source.plain if kind == "plain" else one.source.asynchronous
    )
    return one, two, shared


both = pytest.mark.parametrize("kind", ["plain", "async"])


@both
def test_one_computation_serves_two_environments(kind: str, clock: ManualClock) -> None:
    """What one computed, the other finds in the second level."""
    one, two, _ = fleet(kind, clock)
    assert one("a") == two("a")
    assert one.source.calls == 1
    assert two.manager.get_stats().shared_hits == 1


@both
def test_a_clear_arrives_within_five_seconds(kind: str, clock: ManualClock) -> None:
    """After clear() in one environment the other computes again, five seconds later at the latest."""
    one, two, _ = fleet(kind, clock)
    one("a")
    two("a")
    one.manager.clear()
    assert one("a")["n"] == 2
    clock.advance(5)
    assert two("a")["n"] == 2


@both
def test_an_invalidation_arrives_within_local_seconds(kind: str, clock: ManualClock) -> None:
    """One key invalidated here is computed again there, as soon as the first level asks again."""
    one, two, _ = fleet(kind, clock)
    one("a")
    two("a")
    one.function.invalidate("a")
    clock.advance(5)
    assert two("a")["n"] == 2


@both
def test_a_users_own_write_is_never_followed_by_a_stale_read(kind: str, clock: ManualClock) -> None:
    """A private value, invalidated after the write, is fresh in every environment at once."""
    one, two, _ = fleet(kind, clock, private=True)
    for write in range(5):
        one.source.value = {"xp": write}
        writer, reader = (one, two) if write % 2 else (two, one)
        writer.function.invalidate("a")
        assert reader("a") == writer("a") == {"xp": write}
    calls = one.source.calls
    assert one("a") == two("a")
    assert one.source.calls == calls


def test_a_value_from_before_an_invalidation_is_never_stored_after_it(clock: ManualClock) -> None:
    """Driven interleaving: one environment computes, the other invalidates meanwhile, nobody sees the old value."""

    async def scenario() -> None:
        shared, hold, value = MemoryStore(clock=clock), asyncio.Event(), "old"

        async def read() -> str:
            seen = value
            await hold.wait()
            return seen

        first, second = (
            cached(60, private=private, manager=CacheManager(clock=clock, store=FaultyStore(shared)))(read)
            for private in (True, True)
        )
        before = asyncio.create_task(first())
        await asyncio.sleep(0)
        value = "new"
        await second.invalidate_async()  # type: ignore[attr-defined]
        hold.set()
        assert await before == "old"
        assert await second() == "new"
        assert await first() == "new"

    asyncio.run(scenario())


@both
def test_one_refresh_in_the_fleet(kind: str, clock: ManualClock) -> None:
    """Behind stale answers only one environment computes; the other finds its value."""
    one, two, shared = fleet(kind, clock, stale_while_revalidate=30)
    one("a")
    two("a")
    clock.advance(61)
    lease = shared.put_if  # somebody else of the fleet is refreshing
    partition = next(pk for pk in shared._items if pk.startswith("cache#"))
    assert lease(partition, "lease", {}, expected_version=None, ttl=int(clock.wall()) + 15)
    assert one("a")["n"] == 1
    assert flush(5)
    assert one.source.calls == 1
    clock.advance(16)
    assert two("a")["n"] == 1
    assert flush(5)
    assert one.source.calls == 2


@both
def test_the_store_down_fails_no_call(kind: str, clock: ManualClock) -> None:
    """Without the second level the first goes on; only sharing is lost."""
    one, two, _ = fleet(kind, clock)
    for each in (one, two):
        each.manager._bound()[0].store.down = True  # type: ignore[attr-defined]
    assert one("a")["n"] == 1
    clock.advance(10)
    assert one("a")["n"] == 1
    assert two("a")["n"] == 2
    assert not one.function.invalidate("a")
    one.manager.clear()
    assert one.manager.get_stats().errors > 0


def test_a_value_too_large_for_the_store_stays_in_memory(clock: ManualClock) -> None:
    """What DynamoDB could not hold is kept by the first level alone, until its ttl."""
    store = FaultyStore(MemoryStore(clock=clock))
    calls = []

    @cached(60, manager=CacheManager(clock=clock, store=store))
    def large() -> str:
        calls.append(1)
        return "x" * 500_000

    large()
    clock.advance(30)
    large()
    assert (len(calls), store.writes) == (1, 0)


@pytest.mark.parametrize(
    "settings",
    [{"ttl": 0}, {"ttl": 1, "stale_if_error": -1}, {"ttl": 1, "negative_ttl": 0}, {"ttl": 1, "local_seconds": -1}],
)
def test_wrong_settings_fail_when_built(settings: dict[str, Any]) -> None:
    """The error names the field."""
    with pytest.raises(ConfigurationError, match=list(settings)[-1]):
        cached(**settings)
    with pytest.raises(ConfigurationError, match="max_bytes"):
        CacheManager(max_bytes=0)
