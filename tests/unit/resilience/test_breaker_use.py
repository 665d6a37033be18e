"""Using the circuit breaker: manually, with hooks, as a decorator, and with invalid settings."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitTransition,
    ConfigurationError,
    circuit_breaker,
    events,
)
from resilience.testing import ManualClock
from tests.unit.resilience.dependency import DownError, Runner


def test_forced_open_until_reset(runner: Runner, clock: ManualClock) -> None:
    """force_open holds for any time; reset ends it."""
    call = runner.protect()
    call()
    runner.breaker.force_open()
    clock.advance(10_000)
    with pytest.raises(CircuitOpenError) as refused:
        call()
    assert refused.value.forced
    runner.breaker.reset()
    assert call() == "fine"


def test_forced_open_for_a_time(runner: Runner, clock: ManualClock) -> None:
    """After force_open(seconds) the circuit probes by itself."""
    call = runner.protect()
    runner.breaker.force_open(30)
    with pytest.raises(CircuitOpenError):
        call()
    clock.advance(30)
    assert call() == "fine"
    assert runner.breaker.get_state() == "closed"


def test_transitions_are_told(clock: ManualClock, events: list[events.Event]) -> None:
    """The hook and the event stream get each change once, with its reason."""
    seen: list[CircuitTransition] = []
    breaker = CircuitBreaker("hooks", clock=clock, failure_threshold=1, on_transition=seen.append, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.advance(60)
    with breaker.guard():
        pass
    assert [(each.before, each.after, each.reason) for each in seen] == [
        ("closed", "open", "failures"),
        ("open", "half_open", "probe"),
        ("half_open", "closed", "recovered"),
    ]
    assert [event.details["after"] for event in events if event.kind == "circuit_transition"] == [
        "open",
        "half_open",
        "closed",
    ]


def test_a_hook_that_raises_breaks_no_call(clock: ManualClock) -> None:
    """The caller gets the dependency's error, not the hook's."""

    def hook(_: CircuitTransition) -> None:
        raise RuntimeError("hook")

    breaker = CircuitBreaker("bad_hook", clock=clock, failure_threshold=1, on_transition=hook)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    assert breaker.get_state() == "open"


def test_a_hook_may_ask_the_circuit(clock: ManualClock) -> None:
    """A hook that reads the state does not deadlock."""
    states = []
    breaker = CircuitBreaker(
        "asking", clock=clock, failure_threshold=1, on_transition=lambda _: states.append(breaker.get_state())
    )
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    assert states == ["open"]


def test_results_are_judged_however_they_are_called(clock: ManualClock) -> None:
    """`is_failure` judges returned values; a block returns none, so only its errors count."""
    breaker = CircuitBreaker("judge", clock=clock, failure_threshold=2, is_failure=lambda answer: answer.status >= 500)

    async def answer() -> SimpleNamespace:
        return SimpleNamespace(status=503)

    with breaker.guard():
        pass
    asyncio.run(breaker.call_async(answer))
    assert breaker.get_state() == "closed"
    asyncio.run(breaker.call_async(answer))
    assert breaker.get_state() == "open"


@pytest.mark.parametrize("told", ["\u00b2", "Wed, 21 Oct 2015 07:28:00 +99999999999999999999", "soon"])
def test_what_cannot_be_read_hides_no_failure(told: str, clock: ManualClock) -> None:
    """A failing server with an unreadable Retry-After has still failed."""
    breaker = CircuitBreaker("nonsense", clock=clock, failure_threshold=1)
    error = OSError("down")
    error.headers = {"Retry-After": told}  # type: ignore[attr-defined]
    with pytest.raises(OSError, match="down"), breaker.guard():
        raise error
    assert breaker.get_state() == "open"


def test_a_hook_about_waiting_that_raises_hides_no_failure(clock: ManualClock) -> None:
    """The original error counts, and reaches the caller."""

    def broken(_: BaseException) -> float:
        raise KeyError("retry-after")

    breaker = CircuitBreaker("hook", clock=clock, failure_threshold=1, retry_after=broken)
    with pytest.raises(OSError, match="down"), breaker.guard():
        raise OSError("down")
    assert breaker.get_state() == "open"


def test_async_under_another_decorator_is_understood(clock: ManualClock) -> None:
    """A sync function that returns a coroutine is judged by the coroutine's result."""

    def traced(function: Callable[[], Any]) -> Callable[[], Any]:
        return lambda: function()  # noqa: PLW0108 - hides that it is async

    @circuit_breaker(name="hidden", clock=clock)
    @traced
    async def hidden() -> None:
        raise DownError

    for _ in range(5):
        with pytest.raises(DownError):
            asyncio.run(hidden())
    assert hidden.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]


def test_generators_are_refused() -> None:
    """A generator cannot be judged by its call, so decorating one fails immediately."""

    def numbers() -> Iterator[int]:
        yield 1

    async def async_numbers() -> Any:
        yield 1

    for function in (numbers, async_numbers, functools.partial(numbers)):
        with pytest.raises(ConfigurationError, match="generator"):
            circuit_breaker(name="generator")(function)


def test_the_name_defaults_to_the_function() -> None:
    """Without a name the circuit has the function's name."""

    @circuit_breaker()
    def some_call() -> None: ...

    assert some_call.circuit_breaker.name.endswith(
        "test_breaker_use.test_the_name_defaults_to_the_function.<locals>.some_call"
    )  # type: ignore[attr-defined]
    assert some_call.__name__ == "some_call"
