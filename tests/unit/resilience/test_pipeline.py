"""Policies composed: their order, what they share, and what each does, plain and async."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    AdaptiveLimit,
    CircuitBreaker,
    CircuitOpenError,
    ConcurrencyLimitError,
    ConfigurationError,
    DeadlineExceededError,
    PoolTimeoutError,
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
    track_served,
)
from resilience.testing import ManualClock, no_wait

Call = Callable[..., Any]
both = pytest.mark.parametrize("kind", ["plain", "async"])


def made(kind: str, decorate: Callable[[Any], Any], work: Callable[[], Any]) -> Callable[[], Any]:
    """The work behind a policy, plain or async, called the same way."""
    if kind == "plain":
        return decorate(work)  # type: ignore[no-any-return]

    async def asynchronous() -> Any:
        await asyncio.sleep(0)
        return work()

    function = decorate(asynchronous)
    return lambda: asyncio.run(function())


@both
def test_all_of_them_in_the_documented_order(kind: str) -> None:
    """A failing dependency is retried, opens the pipeline's circuit, and its fallback is served and said so."""
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
    with no_wait(), track_served() as served:
        assert call() == "later"
        assert call() == "later"
    assert len(calls) == 3
    assert served.degraded == ["payments " + kind] or kind == "async"


def test_functions_of_a_pipeline_share_its_circuit() -> None:
    """What one finds out, the others are spared; another pipeline goes on."""

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
    """When the pipeline is made, by name, with the right order in the message."""
    with pytest.raises(ConfigurationError, match="policies"):
        pipeline("wrong", *policies())


def test_a_pipeline_is_called_directly() -> None:
    """Plain and async."""
    line = pipeline("direct", timeout(5.0))

    async def add(one: int, two: int) -> int:
        return one + two

    assert line.call(lambda one, two: one + two, 1, two=2) == 3
    assert asyncio.run(line.call_async(add, 1, two=2)) == 3


def test_an_async_call_is_interrupted() -> None:
    """Its time is over: TimeoutError, a failure for the circuit around it and worth another try."""
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
    """Everything inside knows how much time is left; afterwards it is as before."""
    left = timeout(5.0, thread=thread)(remaining)()
    assert left is not None
    assert left <= 5
    assert remaining() is None


def test_a_plain_call_is_left_behind_in_its_thread() -> None:
    """Its caller goes on when the time is over."""
    release = threading.Event()
    slow = timeout(0.05, thread=True)(lambda: release.wait(20))
    began = time.monotonic()
    with pytest.raises(TimeoutError, match="took longer than"):
        slow()
    assert time.monotonic() - began < 5
    release.set()


@pytest.mark.parametrize("thread", [None, True])
def test_the_requests_deadline_comes_first(thread: bool | None) -> None:
    """It is no failure of the dependency."""
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
    """What it raises in time passes unchanged, and so does being cancelled."""

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


def test_a_bulkhead_holds_plain_and_async_calls_together() -> None:
    """Two places: a thread and a task have them, and the next of either kind waits in vain."""
    gate, limit = threading.Event(), bulkhead(2, timeout=0.05)
    started = threading.Semaphore(0)

    def plain() -> str:
        started.release()
        gate.wait(10)
        return "plain"

    async def hold() -> str:
        await asyncio.sleep(0)
        return "async"

    held, quick, later = limit(plain), limit(lambda: "quick"), limit(hold)
    threads = [threading.Thread(target=held, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert all(started.acquire(timeout=5) for _ in threads)
    with pytest.raises(PoolTimeoutError):
        asyncio.run(later())
    with pytest.raises(PoolTimeoutError):
        quick()
    gate.set()
    for thread in threads:
        thread.join(5)
    assert (quick(), asyncio.run(later())) == ("quick", "async")


def test_bulkheads_of_a_name_are_one() -> None:
    """They belong to the dependency."""
    gate, started = threading.Event(), threading.Event()

    @bulkhead(1, name="one dependency")
    def first() -> None:
        started.set()
        gate.wait(10)

    thread = threading.Thread(target=first, daemon=True)
    thread.start()
    assert started.wait(5)
    with deadline(0.05), pytest.raises(PoolTimeoutError):
        bulkhead(1, name="one dependency")(lambda: 42)()
    assert bulkhead(1, name="another dependency")(lambda: 42)() == 42
    gate.set()
    thread.join(5)


@both
def test_the_limit_adapts(kind: str) -> None:
    """It shrinks while calls take longer under load, and grows when they do not."""
    clock = ManualClock()
    limit = AdaptiveLimit(20, clock=clock, most=100)
    seconds = [0.1]
    call = made(kind, limit, lambda: clock.advance(seconds[0]))

    def load(calls: int) -> None:
        for _ in range(calls):
            with limit._lock:
                limit._active += limit.limit - 1  # the others, under way meanwhile
            call()
            with limit._lock:
                limit._active = 0

    load(50)
    grown = limit.limit
    assert grown > 20
    seconds[0] = 1.0
    load(30)
    assert limit.limit < grown / 2
    seconds[0] = 0.1
    load(200)
    assert limit.limit > grown / 2


@both
def test_who_finds_no_place_is_refused_at_once(kind: str) -> None:
    """Waiting would only be another queue; and the circuit around it does not count it."""
    limit = AdaptiveLimit(1)
    breaker = CircuitBreaker("limited " + kind, failure_threshold=1)
    call = made(kind, pipeline("limited", breaker, limit), lambda: 42)
    limit._active = 1
    with pytest.raises(ConcurrencyLimitError):
        call()
    assert breaker.get_state() == "closed"
    limit._active = 0
    assert call() == 42


def test_overload_shrinks_the_limit() -> None:
    """A timeout says that there is too much; another error says nothing."""
    limit = AdaptiveLimit(20)

    def fail(error: Exception) -> None:
        raise error

    for error, expected in ((KeyError(), 20), (TimeoutError(), 18)):
        with pytest.raises(type(error)):
            limit(fail)(error)
        assert limit.limit == expected
    assert limit.active == 0


def test_a_slow_read_is_asked_again() -> None:
    """The second request answers first, and the slower one is cancelled."""
    cancelled, calls = [], itertools.count()

    @hedge(0.02)
    async def read() -> int:
        number = next(calls)
        if number == 0:
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                cancelled.append(number)
                raise
        return number

    async def scenario() -> int:
        answer = await read()
        await asyncio.sleep(0)
        return answer

    assert asyncio.run(scenario()) == 1
    assert cancelled == [0]


def test_a_slow_plain_read_is_asked_again() -> None:
    """In threads; the slower one goes on by itself."""
    release, calls = threading.Event(), itertools.count()

    @hedge(0.02)
    def read() -> int:
        number = next(calls)
        if number == 0:
            release.wait(10)
        return number

    assert read() == 1
    release.set()


@both
def test_when_one_request_fails_the_other_is_waited_for(kind: str) -> None:
    """And when both do, the first one's error is raised."""
    calls = itertools.count()

    def work() -> int:
        number = next(calls)
        if number in (0, 2, 3):
            time.sleep(0.03 if number in (0, 2) else 0.0)
            raise ConnectionError(str(number))
        time.sleep(0.1)
        return number

    if kind == "plain":
        read: Any = hedge(0.01)(work)
    else:

        async def later() -> int:
            return await asyncio.to_thread(work)

        function = hedge(0.01)(later)
        read = lambda: asyncio.run(function())  # noqa: E731
    assert read() == 1
    with pytest.raises(ConnectionError, match="2"):
        read()


def test_when_to_hedge_is_learnt_and_paid_for() -> None:
    """After twenty calls the time of the slowest twentieth; and never more than a tenth of the calls are hedged."""
    clock, calls = ManualClock(), []

    @hedge(clock=clock)
    async def read(seconds: float) -> None:
        calls.append(1)
        clock.advance(seconds)
        if seconds > 0.5:
            await asyncio.sleep(0.15)

    async def scenario() -> None:
        for _ in range(100):
            await read(0.1)
        assert len(calls) == 100
        await asyncio.gather(*(read(1.0) for _ in range(60)))

    asyncio.run(scenario())
    assert 160 < len(calls) <= 160 + 17


@both
def test_chaos_spoils_a_share(kind: str) -> None:
    """Errors, wrong results and latency, in as many calls as asked."""
    rolls = itertools.cycle([0.1, 0.9])
    settings: dict[str, Any] = {"rng": lambda: next(rolls)}
    wrong = made(kind, chaos(0.5, result=lambda real: -real, **settings), lambda: 42)
    assert [wrong() for _ in range(4)] == [-42, 42, -42, 42]
    broken = made(kind, chaos(0.5, error=ConnectionError, **settings), lambda: 42)
    with pytest.raises(ConnectionError):
        broken()
    assert broken() == 42
    with no_wait() as waits:
        slow = made(kind, chaos(0.5, latency=3.0, **settings), lambda: 42)
        assert [slow() for _ in range(2)] == [42, 42]
    assert waits == [3.0]


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
    """What is out of range is refused when it is made."""
    with pytest.raises(ConfigurationError):
        make()
