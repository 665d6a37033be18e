"""Composed policies: their order, what they share, and what each does, sync and async."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    DeadlineExceededError,
    adaptive_limit,
    bulkhead,
    cached,
    chaos,
    circuit_breaker,
    deadline,
    fallback,
    hedge,
    monitor_performance,
    pipeline,
    remaining,
    retry,
    timeout,
    track_degradation,
)
from resilience.testing import no_wait

Call = Callable[..., Any]
both = pytest.mark.parametrize("kind", ["plain", "async"])


def made(kind: str, decorate: Callable[[Any], Any], work: Callable[[], Any]) -> Callable[[], Any]:
    """The work behind a policy, sync or async, called the same way."""
    if kind == "plain":
        return decorate(work)  # type: ignore[no-any-return]

    async def asynchronous() -> Any:
        await asyncio.sleep(0)
        return work()

    function = decorate(asynchronous)
    return lambda: asyncio.run(function())


@both
def test_all_of_them_in_the_documented_order(kind: str) -> None:
    """A failing dependency is retried, opens the pipeline's circuit, and its fallback is served and marked."""
    calls: list[int] = []

    def pay() -> str:
        calls.append(1)
        raise ConnectionError

    payments = pipeline(
        "payments " + kind,
        monitor_performance("payments"),
        fallback("later"),
        cached(60, key_prefix="payments " + kind),
        timeout(10.0),
        retry(max_retries=2, base_delay=0.0),
        circuit_breaker(failure_threshold=3),
        adaptive_limit(),
        timeout(2.0),
        bulkhead(20),
    )
    call = made(kind, payments, pay)
    with no_wait(), track_degradation() as served:
        assert call() == "later"
        assert call() == "later"
    assert len(calls) == 3
    assert served.fallbacks == ["payments " + kind] or kind == "async"


def test_functions_of_a_pipeline_share_its_circuit() -> None:
    """When one function opens the circuit, the others are refused; another pipeline continues."""

    def down() -> None:
        raise ConnectionError

    one = pipeline("shared", circuit_breaker(failure_threshold=1))
    with pytest.raises(ConnectionError):
        one(down)()
    with pytest.raises(CircuitOpenError) as refused:
        one(lambda: 42)()
    assert refused.value.name == "shared"
    assert pipeline("other", circuit_breaker(failure_threshold=1)).call(lambda: 42) == 42


@pytest.mark.parametrize(
    "policies",
    [
        lambda: (cached(60), fallback(1)),
        lambda: (circuit_breaker(), retry()),
        lambda: (CircuitBreaker("x"), cached(60)),
        lambda: (bulkhead(), timeout(1.0)),
        lambda: (retry(), retry()),
        lambda: (timeout(3.0), timeout(2.0), timeout(1.0)),
        lambda: (chaos(0.5), bulkhead()),
        lambda: (lambda function: function,),
        lambda: (42,),
    ],
)
def test_a_wrong_order_is_refused(policies: Callable[[], tuple[Any, ...]]) -> None:
    """It is refused when the pipeline is built, with the names and the right order in the message."""
    with pytest.raises(ConfigurationError, match="policies"):
        pipeline("wrong", *policies())


def test_a_pipeline_is_called_directly() -> None:
    """A pipeline can be called directly, sync and async."""
    line = pipeline("direct", timeout(5.0))

    async def add(one: int, two: int) -> int:
        return one + two

    assert line.call(lambda one, two: one + two, 1, two=2) == 3
    assert asyncio.run(line.call_async(add, 1, two=2)) == 3


def test_an_async_call_is_interrupted() -> None:
    """It raises TimeoutError, a failure for the circuit around it, and can be retried."""
    calls = []

    @pipeline("slow", retry(max_retries=1, base_delay=0.0), circuit_breaker(failure_threshold=9), timeout(0.05))
    async def slow() -> str:
        calls.append(1)
        if len(calls) == 1:
            await asyncio.sleep(30)
        return "quick"

    assert asyncio.run(slow()) == "quick"
    assert slow.circuit_breaker.snapshot().total_failures == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("thread", [False, True])
def test_a_timeout_is_a_deadline_for_what_is_called(thread: bool) -> None:
    """Everything inside sees the remaining time; afterwards the deadline is reset."""
    left = timeout(5.0, thread=thread)(remaining)()
    assert left is not None
    assert left <= 5
    assert remaining() is None


def test_a_plain_call_is_left_behind_in_its_thread() -> None:
    """Its caller continues when the time is over."""
    release = threading.Event()
    slow = timeout(0.05, thread=True)(lambda: release.wait(20))
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="took longer than"):
        slow()
    assert time.monotonic() - began < 5
    release.set()


@pytest.mark.parametrize("thread", [None, True])
def test_the_requests_deadline_comes_first(thread: bool | None) -> None:
    """An expired deadline is no failure of the dependency."""
    release = threading.Event()

    async def asynchronous() -> None:
        await asyncio.sleep(20)

    plain = timeout(10.0, thread=True)(lambda: release.wait(20))
    call = plain if thread else lambda: asyncio.run(timeout(10.0)(asynchronous)())
    with deadline(0.05), pytest.raises(DeadlineExceededError):
        call()
    with deadline(0.0), pytest.raises(DeadlineExceededError):
        timeout(10.0)(lambda: 42)()
    release.set()


def test_a_timeout_of_the_function_itself_is_its_own() -> None:
    """An error raised in time passes unchanged, and so does cancellation."""

    async def own() -> None:
        raise TimeoutError("own")

    with pytest.raises(TimeoutError, match="own"):
        asyncio.run(timeout(5.0)(own)())

    async def scenario() -> None:
        task = asyncio.ensure_future(timeout(5.0)(asyncio.sleep)(20))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "make",
    [
        lambda: chaos(1.5),
        lambda: chaos(0.5, latency=-1),
        lambda: chaos(0.5, error=KeyError, result=1),
        lambda: timeout(0),
        lambda: bulkhead(0),
        lambda: adaptive_limit(0),
        lambda: adaptive_limit(10, least=20),
        lambda: hedge(0.0),
        lambda: fallback(1, on=("x",)),  # type: ignore[arg-type]
        lambda: pipeline("", timeout(1.0)),
    ],
)
def test_settings_are_checked(make: Callable[[], object]) -> None:
    """A value out of range is refused when the policy is built."""
    with pytest.raises(ConfigurationError):
        make()
