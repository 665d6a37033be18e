"""Fallbacks: what is served instead, and how callers can tell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from resilience import FallbackHandler, events, fallback_handler, track_degradation, with_fallback


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
    """A caller that changes the returned value does not change the fallback."""
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
    """The fallback gets the error and the arguments, the error alone, or nothing."""
    fallback_handler.register_fallback("stats", fallback)
    assert stats("u") == answer
    assert asyncio.run(stats_async("u")) == answer


def test_a_call_that_works_is_left_alone() -> None:
    """Arguments, result, name and docs are unchanged, sync and async."""

    @with_fallback("stats")
    def plain(*args: int, **named: int) -> Any:
        """Plain."""
        return args, named

    @with_fallback("stats")
    async def later(*args: int, **named: int) -> Any:
        """Async."""
        return args, named

    fallback_handler.register_fallback("stats", "fallback")
    with track_degradation() as served:
        assert plain(1, b=2) == asyncio.run(later(1, b=2)) == ((1,), {"b": 2})
    assert not served
    assert (plain.__name__, plain.__doc__, later.__name__) == ("plain", "Plain.", "later")


def test_a_fallback_gets_what_the_call_got() -> None:
    """The fallback gets the error itself and every argument, including keyword arguments."""

    @with_fallback("stats")
    def plain(user: str, *, day: int) -> Any:
        raise ConnectionError(user)

    @with_fallback("stats")
    async def later(user: str, *, day: int) -> Any:
        raise ConnectionError(user)

    def instead(error: Exception, user: str, *, day: int) -> tuple[str, str, int]:
        return str(error), user, day

    fallback_handler.register_fallback("stats", instead)
    assert plain("u", day=3) == asyncio.run(later("u", day=3)) == ("u", "u", 3)


def test_a_handler_of_ones_own() -> None:
    """Handlers do not share fallbacks; an unregistered one is gone, and unregistering twice is no error."""
    handler = FallbackHandler()

    @with_fallback("stats", handler=handler, on=(ConnectionError,))
    def own(error: Exception) -> Any:
        raise error

    handler.register_fallback("stats", 1)
    assert own(ConnectionError()) == 1
    assert fallback_handler.registered() == ()
    with pytest.raises(ValueError, match="not on the list"):
        own(ValueError("not on the list"))
    for _ in range(2):
        handler.unregister_fallback("stats")
    with pytest.raises(ConnectionError):
        own(ConnectionError())


def test_an_async_fallback_is_awaited() -> None:
    """An async function can use an async fallback."""

    async def fallback(error: Exception) -> str:
        await asyncio.sleep(0)
        return "later"

    fallback_handler.register_fallback("stats", fallback)
    assert asyncio.run(stats_async("u")) == "later"


def test_without_a_fallback_the_error_is_raised() -> None:
    """An unregistered key leaves the error unchanged."""
    with pytest.raises(ConnectionError):
        stats("u")


def test_a_failing_fallback_gives_the_original_error(caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the original error; the fallback's own error is its cause, and is logged."""

    def broken() -> None:
        raise ZeroDivisionError

    fallback_handler.register_fallback("stats", broken)
    for call in (lambda: stats("u"), lambda: asyncio.run(stats_async("u"))):
        with pytest.raises(ConnectionError) as raised:
            call()
        assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert [record.getMessage() for record in caplog.records] == ["fallback stats failed itself"] * 2
    assert all(record.exc_info and record.exc_info[0] is ZeroDivisionError for record in caplog.records)


def test_cancellation_passes() -> None:
    """A fallback never replaces a cancellation."""
    fallback_handler.register_fallback("hang", "fallback")

    @with_fallback("hang")
    async def hang() -> str:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(hang())


def test_what_was_served_is_visible(events: list[events.Event]) -> None:
    """Middleware around the request sees the key, also from the request's tasks; so do subscribers."""
    fallback_handler.register_fallback("stats", 0)

    async def scenario() -> None:
        with track_degradation() as served:
            assert not served
            await asyncio.gather(stats_async("a"), stats_async("b"))
            assert served.fallbacks == ["stats"]
        assert served

    asyncio.run(scenario())
    assert [(event.kind, event.name, event.details) for event in events] == [
        ("fallback_served", "stats", {"error": "ConnectionError"})
    ] * 2
