"""Fallbacks: what is served instead, and that it can be seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import degraded, events, fallback_handler, track_served, with_fallback


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    yield
    for key in fallback_handler.registered():
        fallback_handler.unregister_fallback(key)


@with_fallback("stats")
def stats(user: str) -> Any:
    raise ConnectionError(user)


@with_fallback("stats")
async def stats_async(user: str) -> Any:
    raise ConnectionError(user)


def test_a_value_is_served_as_a_copy() -> None:
    """A caller that changes what it got does not change the fallback."""
    fallback_handler.register_fallback("stats", {"xp": 0, "badges": []})
    stats("u")["badges"].append("stolen")
    assert stats("u") == asyncio.run(stats_async("u")) == {"xp": 0, "badges": []}


@pytest.mark.parametrize(
    ("fallback", "answer"),
    [
        (lambda error, user: f"{type(error).__name__} for {user}", "ConnectionError for u"),
        (lambda error: type(error).__name__, "ConnectionError"),
        (lambda: "nothing", "nothing"),
    ],
)
def test_a_function_takes_what_it_wants(fallback: Any, answer: str) -> None:
    """The error and the arguments, the error alone, or nothing."""
    fallback_handler.register_fallback("stats", fallback)
    assert stats("u") == answer
    assert asyncio.run(stats_async("u")) == answer


def test_an_async_fallback_is_awaited() -> None:
    """An async function can use an async fallback."""

    async def fallback(error: Exception) -> str:
        await asyncio.sleep(0)
        return "later"

    fallback_handler.register_fallback("stats", fallback)
    assert asyncio.run(stats_async("u")) == "later"


def test_without_a_fallback_the_error_is_raised() -> None:
    """An unregistered key changes nothing."""
    with pytest.raises(ConnectionError):
        stats("u")


def test_a_failing_fallback_gives_the_original_error() -> None:
    """The caller learns why the call failed; why the fallback did is the cause."""

    def broken() -> None:
        raise ZeroDivisionError

    fallback_handler.register_fallback("stats", broken)
    for call in (lambda: stats("u"), lambda: asyncio.run(stats_async("u"))):
        with pytest.raises(ConnectionError) as raised:
            call()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)


def test_cancellation_passes() -> None:
    """A fallback never answers for a cancelled call."""
    fallback_handler.register_fallback("hang", "fallback")

    @with_fallback("hang")
    async def hang() -> str:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(hang())


def test_what_was_served_is_visible(events: list[events.Event]) -> None:
    """A middleware around the request sees the key, also from tasks of the request; so do subscribers."""
    fallback_handler.register_fallback("stats", 0)

    async def scenario() -> None:
        with track_served() as served:
            assert not served
            await asyncio.gather(stats_async("a"), stats_async("b"))
            assert degraded() == ("stats",)
        assert served
        assert degraded() == ()

    asyncio.run(scenario())
    assert [(event.kind, event.name) for event in events] == [("fallback_served", "stats")] * 2
