"""Retries: how many, after how long, and when none are made."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from resilience import (
    CircuitOpenError,
    RetryBudget,
    deadline,
    events,
    retry_async,
    retry_sync,
    with_retry,
)
from resilience.testing import ManualClock, no_wait, set_testing


class Flaky:
    """Fails a number of times, then returns the number of its calls."""

    def __init__(self, failures: int, error: BaseException | None = None) -> None:
        self.failures, self.calls = failures, 0
        self.error = error or ConnectionError("flaky")

    def call(self) -> int:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error
        return self.calls

    async def call_async(self) -> int:
        return self.call()


def attempt(kind: str, flaky: Flaky, **settings: Any) -> int:
    if kind == "plain":
        return with_retry(**settings)(flaky.call)()
    return asyncio.run(with_retry(**settings)(flaky.call_async)())  # type: ignore[arg-type]


both = pytest.mark.parametrize("kind", ["plain", "async"])


@both
def test_repeats_until_it_works(kind: str) -> None:
    """With three retries a call succeeds that failed three times."""
    with no_wait() as waits:
        assert attempt(kind, Flaky(3)) == 4
    assert len(waits) == 3


@both
def test_gives_the_last_error_unchanged(kind: str) -> None:
    """When no retry is left, the caller gets the error itself."""
    flaky = Flaky(9)
    with no_wait(), pytest.raises(ConnectionError) as raised:
        attempt(kind, flaky, max_retries=2)
    assert raised.value is flaky.error
    assert flaky.calls == 3


@both
def test_zero_retries_is_one_call(kind: str) -> None:
    """max_retries counts the attempts after the first."""
    flaky = Flaky(1)
    with no_wait(), pytest.raises(ConnectionError):
        attempt(kind, flaky, max_retries=0)
    assert flaky.calls == 1


@both
def test_every_try_gets_the_same_arguments(kind: str) -> None:
    """Attempts get the same positional and keyword arguments, by decorator and by direct call."""
    seen: list[Any] = []

    def plain(*args: int, **named: int) -> str:
        seen.append((args, named))
        if len(seen) % 2:
            raise ConnectionError
        return "done"

    async def later(*args: int, **named: int) -> str:
        return plain(*args, **named)

    with no_wait():
        if kind == "plain":
            assert with_retry()(plain)(1, b=2) == "done"
            assert retry_sync(plain, 1, kwargs={"b": 2}, max_retries=1) == "done"
        else:
            assert asyncio.run(with_retry()(later)(1, b=2)) == "done"
            assert asyncio.run(retry_async(later, 1, kwargs={"b": 2}, max_retries=1)) == "done"
    assert seen == [((1,), {"b": 2})] * 4


@both
def test_calls_by_hand_share_a_budget(kind: str) -> None:
    """However often a function is retried by direct calls, an outage causes few retries in all."""
    tries = 0

    def down() -> None:
        nonlocal tries
        tries += 1
        raise ConnectionError

    async def down_async() -> None:
        down()

    with no_wait():
        for _ in range(100):
            with pytest.raises(ConnectionError):
                retry_sync(down) if kind == "plain" else asyncio.run(retry_async(down_async))
    assert 100 + 10 <= tries <= 100 + 10 + 10


@both
def test_only_what_may_be_repeated_is(kind: str) -> None:
    """retry_on takes types, or a function that judges the error."""
    for retry_on in ((TimeoutError,), lambda error: "again" in str(error)):
        flaky = Flaky(1)
        with no_wait(), pytest.raises(ConnectionError):
            attempt(kind, flaky, retry_on=retry_on)
        assert flaky.calls == 1
    with no_wait():
        assert attempt(kind, Flaky(1, ValueError("again")), retry_on=lambda error: "again" in str(error)) == 2


@both
@pytest.mark.parametrize("error", [CircuitOpenError("c", 1.0), KeyboardInterrupt(), asyncio.CancelledError()])
def test_some_errors_are_never_repeated(kind: str, error: BaseException) -> None:
    """An open circuit and a cancellation are not retried."""
    flaky = Flaky(1, error)
    with no_wait(), pytest.raises(type(error)):
        attempt(kind, flaky)
    assert flaky.calls == 1


def test_waits_grow_up_to_the_longest() -> None:
    """Without jitter the waits are base x exponential_base ^ n, capped."""
    with no_wait() as waits:
        attempt("plain", Flaky(5), max_retries=5, base_delay=0.5, max_delay=3.0, jitter=False)
    assert waits == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_full_jitter_waits_anything_up_to_it() -> None:
    """With jitter each wait is a random share of the computed one."""
    with no_wait() as waits:
        attempt("plain", Flaky(3), rng=iter((0.0, 0.5, 0.25)).__next__)
    assert waits == [0.0, 1.0, 1.0]


def test_retry_after_is_obeyed() -> None:
    """The wait is at least as long as requested, and no retry is made when that is too long."""

    class BusyError(Exception):
        def __init__(self, seconds: float) -> None:
            self.retry_after = seconds

    with no_wait() as waits:
        attempt("plain", Flaky(1, BusyError(7.0)), rng=lambda: 0.0)
        attempt("plain", Flaky(1, BusyError(7.0)), rng=lambda: 0.9, base_delay=2.0)
        attempt("plain", Flaky(1, BusyError(7.0)), rng=lambda: 0.9, base_delay=2.0, jitter=False)
    assert waits == [7.0, pytest.approx(8.8), 7.0]
    with no_wait(), pytest.raises(BusyError):
        attempt("plain", Flaky(1, BusyError(61.0)))


def test_no_retry_that_the_deadline_cannot_hold(clock: ManualClock) -> None:
    """No wait is started that takes all the remaining time."""
    flaky = Flaky(3)
    with no_wait() as waits, deadline(1.5, clock=clock), pytest.raises(ConnectionError):
        attempt("plain", flaky, jitter=False)
    assert waits == [1.0]
    assert flaky.calls == 2


def test_an_outage_adds_at_most_ten_percent() -> None:
    """Ten thousand failing calls cause at most a thousand retries."""
    calls = 0

    @with_retry(budget=RetryBudget(clock=ManualClock()))
    def down() -> None:
        nonlocal calls
        calls += 1
        raise ConnectionError

    with no_wait():
        for _ in range(10_000):
            with pytest.raises(ConnectionError):
                down()
    assert calls <= 11_000


@both
def test_each_call_pays_into_the_budget(kind: str) -> None:
    """Ten successful calls pay for one retry, of sync and of async functions."""
    budget = RetryBudget(floor=0, per_second=0)
    for _ in range(9):
        attempt(kind, Flaky(0), budget=budget)
    assert budget.tokens == pytest.approx(0.9)
    with no_wait(), pytest.raises(ConnectionError):
        attempt(kind, Flaky(2), budget=budget)
    assert budget.tokens == pytest.approx(0.0)


def test_quiet_days_save_up_no_storm() -> None:
    """After a million successful calls the budget still has no more than its maximum."""
    budget = RetryBudget()
    for _ in range(1_000_000 // 100):
        budget.deposit()
    assert budget.tokens <= 10


def test_ten_percent_of_failures_become_at_most_three() -> None:
    """With 10 % injected failures, at most 0.3 % remain after retries."""
    chance, failed = random.Random(7), 0

    @with_retry()
    def flaky() -> None:
        if chance.random() < 0.1:
            raise ConnectionError

    with no_wait():
        for _ in range(10_000):
            try:
                flaky()
            except ConnectionError:
                failed += 1
    assert failed <= 0.3 * 1_000


def test_an_empty_budget_is_told(events: list[events.Event]) -> None:
    """Retries and an exhausted budget are events."""
    with no_wait(), pytest.raises(ConnectionError):
        attempt("plain", Flaky(5), budget=RetryBudget(floor=1))
    assert [event.kind for event in events] == ["retry", "retry_budget_empty"]


def test_called_directly_as_the_guide_shows() -> None:
    """retry_async and retry_sync take the function, its arguments and the settings."""

    async def add(a: int, b: int) -> int:
        return a + b

    assert asyncio.run(retry_async(add, 1, 2, max_retries=3, base_delay=1.0)) == 3
    assert retry_sync(lambda a, b: a - b, 5, kwargs={"b": 2}, max_retries=1) == 3


def test_the_switch_removes_every_wait() -> None:
    """With set_testing(True) an hour of waiting takes no time."""
    set_testing(True)
    try:
        assert attempt("async", Flaky(3), base_delay=3_600.0, max_delay=3_600.0) == 4
    finally:
        set_testing(False)
