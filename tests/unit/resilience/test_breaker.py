"""The circuit breaker in one environment: what opens it, what closes it, what it does not count."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    CircuitState,
    CircuitTransition,
    ConfigurationError,
    circuit_breaker,
    events,
)
from resilience.testing import ManualClock


class DownError(Exception):
    """The dependency failed."""


class Dependency:
    """Something to call: fails while `down`, and counts its calls."""

    def __init__(self) -> None:
        self.down = False
        self.calls = 0

    def call(self) -> str:
        self.calls += 1
        if self.down:
            raise DownError
        return "fine"

    async def call_async(self) -> str:
        await asyncio.sleep(0)
        return self.call()


class Runner:
    """The same dependency through the same settings, for plain or async."""

    def __init__(self, kind: str, clock: ManualClock) -> None:
        self.kind, self.clock = kind, clock
        self.dependency = Dependency()

    def protect(self, **settings: Any) -> Callable[[], str]:
        settings = {"name": "dependency", "clock": self.clock, "jitter": 0.0} | settings
        if self.kind == "plain":
            self.function: Any = circuit_breaker(**settings)(self.dependency.call)
            return self.function  # type: ignore[no-any-return]
        self.function = circuit_breaker(**settings)(self.dependency.call_async)
        return lambda: asyncio.run(self.function())

    @property
    def breaker(self) -> CircuitBreaker:
        return self.function.circuit_breaker  # type: ignore[no-any-return]


@pytest.fixture(params=["plain", "async"])
def runner(request: pytest.FixtureRequest, clock: ManualClock) -> Runner:
    return Runner(request.param, clock)


def fail(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        with pytest.raises(DownError):
            call()


def test_opens_after_consecutive_failures(runner: Runner) -> None:
    """The fifth failure in a row opens the circuit, and the dependency is left alone."""
    call = runner.protect()
    runner.dependency.down = True
    fail(call, 5)
    assert runner.breaker.get_state() == "open"
    with pytest.raises(CircuitOpenError) as refused:
        call()
    assert runner.dependency.calls == 5
    assert refused.value.retry_after == pytest.approx(60.0)


def test_opens_at_80_percent_with_every_fifth_call_good(runner: Runner) -> None:
    """Failures that are never five in a row open it by their rate, as soon as there are ten calls."""
    call = runner.protect()
    for n in range(10):
        runner.dependency.down = n % 5 != 0
        if runner.dependency.down:
            fail(call, 1)
        else:
            call()
    assert runner.breaker.get_state() == "open"


def test_old_calls_leave_the_window(runner: Runner, clock: ManualClock) -> None:
    """Failures older than the window do not count towards the rate."""
    call = runner.protect(failure_threshold=None)
    runner.dependency.down = True
    fail(call, 9)
    clock.advance(61)
    fail(call, 5)
    assert runner.breaker.snapshot().calls == 5
    assert runner.breaker.get_state() == "closed"


def test_a_success_between_starts_the_count_anew(runner: Runner) -> None:
    """Only failures in a row count towards failure_threshold."""
    call = runner.protect(failure_threshold=3, failure_rate_threshold=None)
    for down in (True, True, False, True, True):
        runner.dependency.down = down
        if down:
            fail(call, 1)
        else:
            call()
    assert runner.breaker.get_state() == "closed"


def test_closes_after_a_good_probe(runner: Runner, clock: ManualClock) -> None:
    """After its open time one probe is let through, and its success closes the circuit."""
    call = runner.protect()
    runner.dependency.down = True
    fail(call, 5)
    runner.dependency.down = False
    clock.advance(60)
    assert call() == "fine"
    assert runner.breaker.get_state() is CircuitState.CLOSED


def test_a_failed_probe_opens_for_longer(runner: Runner, clock: ManualClock) -> None:
    """Each failed probe doubles the open time, up to the longest allowed."""
    call = runner.protect(max_recovery_timeout=200)
    runner.dependency.down = True
    fail(call, 5)
    waits = []
    for _ in range(4):
        clock.advance(runner.breaker.snapshot().retry_after)
        fail(call, 1)
        waits.append(runner.breaker.snapshot().retry_after)
    assert waits == pytest.approx([120, 200, 200, 200])


def test_several_successes_can_be_asked_for(runner: Runner, clock: ManualClock) -> None:
    """With success_threshold=2 the circuit stays half open after the first good probe."""
    call = runner.protect(success_threshold=2)
    runner.dependency.down = True
    fail(call, 5)
    runner.dependency.down = False
    clock.advance(60)
    call()
    assert runner.breaker.get_state() == "half_open"
    call()
    assert runner.breaker.get_state() == "closed"


def test_slow_calls_open_it(clock: ManualClock) -> None:
    """Calls that succeed but take too long open the circuit by their rate."""

    @circuit_breaker(name="slow", slow_call_seconds=1.0, clock=clock)
    def slow() -> None:
        clock.advance(1.5)

    for _ in range(10):
        slow()
    assert slow.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]
    assert slow.circuit_breaker.snapshot().reason == "slow_calls"  # type: ignore[attr-defined]


def test_a_result_can_be_a_failure(clock: ManualClock) -> None:
    """is_failure judges what is returned, for plain and async functions."""

    @circuit_breaker(name="result", is_failure=lambda status: status >= 500, clock=clock)
    def plain() -> int:
        return 503

    @circuit_breaker(name="result_async", is_failure=lambda status: status >= 500, clock=clock)
    async def asynchronous() -> int:
        return 503

    for _ in range(5):
        plain()
        asyncio.run(asynchronous())
    assert plain.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]
    assert asynchronous.circuit_breaker.get_state() == "open"  # type: ignore[attr-defined]


def test_excluded_errors_prove_that_it_answers(runner: Runner) -> None:
    """A refused input is raised but counts as a success."""
    call = runner.protect(excluded_exceptions=(DownError,))
    runner.dependency.down = True
    fail(call, 20)
    assert runner.breaker.get_state() == "closed"
    assert runner.breaker.snapshot().failures == 0


def test_retry_after_lengthens_the_open_time(clock: ManualClock) -> None:
    """A dependency that asks to be left alone for five minutes is."""

    class BusyError(Exception):
        retry_after = 300

    @circuit_breaker(name="busy", clock=clock, jitter=0)
    def busy() -> None:
        raise BusyError

    for _ in range(5):
        with pytest.raises(BusyError):
            busy()
    assert busy.circuit_breaker.snapshot().retry_after == pytest.approx(300)  # type: ignore[attr-defined]


def test_jitter_only_lengthens(clock: ManualClock) -> None:
    """The open time lies between recovery_timeout and recovery_timeout x (1 + jitter)."""
    breaker = CircuitBreaker("jitter", clock=clock, jitter=0.5, rng=lambda: 0.5)
    for _ in range(5):
        with pytest.raises(DownError), breaker.guard():
            raise DownError
    assert breaker.snapshot().retry_after == pytest.approx(75)


def test_cancellation_says_nothing(clock: ManualClock) -> None:
    """A cancelled call is neither a failure nor a success, and gives a probe's place back."""
    release = asyncio.Event

    async def scenario() -> None:
        breaker = CircuitBreaker("cancel", clock=clock, failure_threshold=1)

        @breaker
        async def hang() -> None:
            await release().wait()

        @breaker
        async def down() -> None:
            raise DownError

        async def cancel_one() -> None:
            task = asyncio.create_task(hang())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        await cancel_one()
        assert breaker.snapshot().calls == 0
        with pytest.raises(DownError):
            await down()
        clock.advance(100)
        await cancel_one()
        await cancel_one()
        assert breaker.get_state() == "half_open"

    asyncio.run(scenario())


def test_a_late_result_of_an_old_generation_changes_nothing(clock: ManualClock) -> None:
    """Failures that began before a reset do not count after it."""

    async def scenario() -> None:
        gate = asyncio.Event()
        breaker = CircuitBreaker("late", clock=clock, failure_threshold=2)

        @breaker
        async def late() -> None:
            await gate.wait()
            raise DownError

        tasks = [asyncio.create_task(late()) for _ in range(5)]
        await asyncio.sleep(0)
        breaker.reset()
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert breaker.get_state() == "closed"
        assert breaker.snapshot().consecutive_failures == 0

    asyncio.run(scenario())


def test_only_one_probe_at_a_time(clock: ManualClock) -> None:
    """Of many calls at once after the open time, one reaches the dependency."""

    async def scenario() -> None:
        gate, calls = asyncio.Event(), []
        breaker = CircuitBreaker("probe", clock=clock, failure_threshold=1)

        @breaker
        async def call() -> None:
            calls.append(1)
            await gate.wait()

        with pytest.raises(DownError):
            async with breaker.guard_async():
                raise DownError
        clock.advance(100)
        tasks = [asyncio.create_task(call()) for _ in range(10)]
        await asyncio.sleep(0)
        gate.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert len(calls) == 1
        assert sum(isinstance(answer, CircuitOpenError) for answer in answers) == 9
        assert breaker.get_state() == "closed"

    asyncio.run(scenario())


def test_a_probe_that_never_returns_is_replaced(clock: ManualClock) -> None:
    """When the prober's lease ends, the next call probes in its place."""
    breaker = CircuitBreaker("lost", clock=clock, failure_threshold=1, lease_seconds=10, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.advance(60)
    lost = breaker.enter(clock.wall())
    with pytest.raises(CircuitOpenError), breaker.guard():
        pytest.fail("the lease is still held")
    clock.advance(10)
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"
    breaker.on_error(lost, DownError(), 0.0)
    assert breaker.snapshot().consecutive_failures == 0


def test_forced_open_until_reset(runner: Runner, clock: ManualClock) -> None:
    """force_open holds however long it takes; reset ends it."""
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
    """force_open(seconds) probes by itself afterwards."""
    call = runner.protect()
    runner.breaker.force_open(30)
    with pytest.raises(CircuitOpenError):
        call()
    clock.advance(30)
    assert call() == "fine"
    assert runner.breaker.get_state() == "closed"


@pytest.mark.parametrize("seconds", [-3_600.0, -10.0, 10.0, 3_600.0])
def test_a_stepping_clock_never_holds_it_open(seconds: float, clock: ManualClock) -> None:
    """Whatever the wall clock does, the circuit can be probed once its time has really passed."""
    breaker = CircuitBreaker("step", clock=clock, failure_threshold=1, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.step(seconds)
    clock.advance(60)
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"


def test_a_frozen_environment_probes_when_it_wakes(clock: ManualClock) -> None:
    """Time that passed while Lambda froze the environment counts."""
    breaker = CircuitBreaker("freeze", clock=clock, failure_threshold=1, jitter=0)
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    clock.freeze(60)
    with breaker.guard():
        pass
    assert breaker.get_state() == "closed"


def test_counts_survive_a_clock_that_steps_back(clock: ManualClock) -> None:
    """Calls counted before the wall clock went back still count after it."""
    breaker = CircuitBreaker("back", clock=clock, failure_threshold=None)
    for n in range(10):
        if n == 5:
            clock.step(-100)
        with pytest.raises(DownError), breaker.guard():
            raise DownError
    assert breaker.get_state() == "open"


def test_transitions_are_told(clock: ManualClock, events: list[events.Event]) -> None:
    """The hook and the event stream see each change once, with its reason."""
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
    """A hook that reads the state does not lock up."""
    states = []
    breaker = CircuitBreaker(
        "asking", clock=clock, failure_threshold=1, on_transition=lambda _: states.append(breaker.get_state())
    )
    with pytest.raises(DownError), breaker.guard():
        raise DownError
    assert states == ["open"]


def test_async_under_another_decorator_is_understood(clock: ManualClock) -> None:
    """A plain function that returns a coroutine is judged by what the coroutine does."""

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
    """A generator cannot be judged by calling it, so decorating one fails at once."""

    def numbers() -> Iterator[int]:
        yield 1

    async def async_numbers() -> Any:
        yield 1

    for function in (numbers, async_numbers, functools.partial(numbers)):
        with pytest.raises(ConfigurationError, match="generator"):
            circuit_breaker(name="generator")(function)


def test_the_name_defaults_to_the_function() -> None:
    """Without a name the circuit is called like the function."""

    @circuit_breaker()
    def some_call() -> None: ...

    assert some_call.circuit_breaker.name.endswith(
        "test_breaker.test_the_name_defaults_to_the_function.<locals>.some_call"
    )  # type: ignore[attr-defined]
    assert some_call.__name__ == "some_call"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"failure_threshold": 0}, "failure_threshold=0"),
        ({"failure_threshold": 2.5}, "failure_threshold=2.5"),
        ({"recovery_timeout": 0}, "recovery_timeout=0"),
        ({"recovery_timeout": float("nan")}, "recovery_timeout=nan"),
        ({"window_seconds": -1}, "window_seconds=-1"),
        ({"minimum_calls": 0}, "minimum_calls=0"),
        ({"failure_rate_threshold": 1.5}, "failure_rate_threshold=1.5"),
        ({"slow_call_seconds": 0}, "slow_call_seconds=0"),
        ({"success_threshold": True}, "success_threshold=True"),
        ({"handled_exceptions": (int,)}, "handled_exceptions"),
        ({"max_recovery_timeout": 5}, "max_recovery_timeout=5"),
        ({"recovery_growth": 0.5}, "recovery_growth=0.5"),
        ({"jitter": 2}, "jitter=2"),
        ({"failure_threshold": None, "failure_rate_threshold": None}, "failure_threshold=None"),
    ],
)
def test_wrong_settings_fail_when_built(settings: dict[str, Any], message: str) -> None:
    """The error names the field and the value."""
    with pytest.raises(ConfigurationError, match=message):
        CircuitBreaker("wrong", **settings)


def test_one_object_is_one_circuit(clock: ManualClock) -> None:
    """Functions that share a CircuitBreaker share its counts, however they are called."""
    breaker = CircuitBreaker("shared", clock=clock, failure_threshold=4)

    def down() -> None:
        raise DownError

    async def down_async() -> None:
        raise DownError

    calls: list[Callable[[], Any]] = [
        breaker(down),
        lambda: asyncio.run(breaker(down_async)()),
        lambda: breaker.call(down),
        lambda: asyncio.run(breaker.call_async(down_async)),
    ]
    for call in calls:
        fail(call, 1)
    assert breaker.get_state() == "open"


def test_failures_from_many_threads_are_all_counted(clock: ManualClock) -> None:
    """Eight threads that fail at once lose no failure."""
    breaker = CircuitBreaker("threads", clock=clock, failure_threshold=None, minimum_calls=1_000)

    @breaker
    def down() -> None:
        raise DownError

    def work() -> None:
        for _ in range(100):
            with pytest.raises(DownError):
                down()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert breaker.snapshot().failures == 800
