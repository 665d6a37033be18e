"""A circuit's hooks: called without locks, in order, and never at the expense of a result."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from resilience import CircuitBreaker, CircuitTransition, MemoryStore, events
from resilience.testing import ManualClock
from tests.unit.resilience.dependency import DownError, Runner, fail


def trip(breaker: CircuitBreaker) -> None:
    """Fail once."""

    def down() -> None:
        raise DownError

    with pytest.raises(DownError):
        breaker.call(down)


def test_two_hooks_that_read_each_others_circuit_end(clock: ManualClock) -> None:
    """Each hook waits until both run and then reads the other circuit, so no lock may be held."""
    both = threading.Barrier(2, timeout=5)
    seen: list[str] = []
    breakers: dict[str, CircuitBreaker] = {}

    def hook(other: str) -> Callable[[CircuitTransition], None]:
        def look(_: CircuitTransition) -> None:
            both.wait()
            seen.append(str(breakers[other].snapshot().state))

        return look

    for name, other in (("a", "b"), ("b", "a")):
        breakers[name] = CircuitBreaker(name, failure_threshold=1, on_transition=hook(other), clock=clock)
    threads = [threading.Thread(target=trip, args=(each,), daemon=True) for each in breakers.values()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert seen == ["open", "open"]


def test_a_slow_hook_stalls_nobody_else(clock: ManualClock) -> None:
    """While one thread's hook is slow, others call and read the state, and changes are reported in order."""
    goes_on, waits = threading.Event(), threading.Event()
    told: list[str] = []

    def slow(transition: CircuitTransition) -> None:
        told.append(transition.after)
        if len(told) == 1:
            waits.set()
            assert goes_on.wait(10)

    breaker = CircuitBreaker("slow", failure_threshold=1, on_transition=slow, clock=clock)
    thread = threading.Thread(target=trip, args=(breaker,), daemon=True)
    thread.start()
    assert waits.wait(5)
    assert breaker.get_state() == "open"
    breaker.reset()
    assert breaker.call(lambda: "served") == "served"
    goes_on.set()
    thread.join(5)
    assert told == ["open", "closed"]


def test_a_hook_may_give_orders(clock: ManualClock) -> None:
    """A hook that resets its own circuit returns, and the store has the reset state."""
    store = MemoryStore(clock=clock)
    breaker: CircuitBreaker

    def undo(transition: CircuitTransition) -> None:
        if transition.after == "open":
            breaker.reset()

    breaker = CircuitBreaker("undone", failure_threshold=1, on_transition=undo, clock=clock, store=store)
    trip(breaker)
    assert breaker.get_state() == "closed"
    item = store.get("control", "circuit#undone")
    assert item is not None
    assert item.attributes["state"] == "closed"


def test_subscribers_may_look_at_the_circuit(clock: ManualClock) -> None:
    """The event of a change is sent after the change, without the lock."""
    breaker = CircuitBreaker("seen", failure_threshold=1, clock=clock)
    seen: list[str] = []

    def look(_: events.Event) -> None:
        thread = threading.Thread(target=lambda: seen.append(breaker.circuit.snapshot(clock.wall()).state), daemon=True)
        thread.start()
        thread.join(5)

    stop = events.subscribe(look, events.CIRCUIT_TRANSITION)
    trip(breaker)
    stop()
    assert seen == ["open"]


def test_a_judge_that_raises_loses_no_result(runner: Runner, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the value, and the circuit counts a success."""

    def judge(_: object) -> bool:
        raise KeyError("judge")

    call = runner.protect(is_failure=judge)
    assert call() == "fine"
    assert runner.breaker.snapshot().failures == 0
    assert "is_failure of circuit dependency raised" in caplog.text


def test_a_judge_that_raises_loses_no_probe(runner: Runner, clock: ManualClock) -> None:
    """The probe was answered although it could not be judged, so the circuit closes."""

    def judge(_: object) -> bool:
        raise KeyError("judge")

    call = runner.protect(is_failure=judge, failure_threshold=1)
    runner.dependency.down = True
    fail(call, 1)
    clock.advance(60)
    runner.dependency.down = False
    assert call() == "fine"
    assert runner.breaker.get_state() == "closed"


@pytest.mark.parametrize(
    ("errors", "failed"),
    [
        ([DownError()], True),
        ([KeyError(), DownError()], True),
        ([KeyError(), KeyError()], False),
        ([ExceptionGroup("inner", [KeyError(), DownError()])], True),
    ],
)
def test_groups_are_looked_into(runner: Runner, errors: list[Exception], failed: bool) -> None:
    """A group of errors is a failure when one of its errors is, at any depth."""

    def down() -> Any:
        raise ExceptionGroup("several", errors)

    runner.dependency.call = down  # type: ignore[method-assign]
    call = runner.protect(handled_exceptions=(DownError,), excluded_exceptions=(KeyError,))
    with pytest.raises(ExceptionGroup):
        call()
    assert runner.breaker.snapshot().failures == failed


def test_a_group_asks_for_the_longest_wait(clock: ManualClock) -> None:
    """Retry-After of the errors in the group counts."""

    class BusyError(Exception):
        def __init__(self, seconds: float) -> None:
            self.retry_after = seconds

    breaker = CircuitBreaker("groups", failure_threshold=1, clock=clock, jitter=0)

    def down() -> None:
        raise ExceptionGroup("busy", [BusyError(100), BusyError(200), KeyError()])

    with pytest.raises(ExceptionGroup):
        breaker.call(down)
    assert breaker.snapshot().retry_after == pytest.approx(200)


class OrderedMeanwhile(MemoryStore):
    """Another environment's order arrives just before this one's write."""

    order: Callable[[], None] | None = None

    def put_if(self, *arguments: Any, **named: Any) -> bool:
        order, self.order = self.order, None
        if order is not None:
            order()
        return super().put_if(*arguments, **named)


def test_an_order_is_not_undone_by_a_write_that_knew_less(clock: ManualClock) -> None:
    """A transition decided before the order and written after it is dropped, and the order is followed."""
    store = OrderedMeanwhile(clock=clock)
    one = CircuitBreaker("orders", failure_threshold=1, store=store, clock=clock)
    inner = one._bound()[0]

    def order() -> None:
        item = {"state": "open", "writer": "operator", "opens": 1, "forced": True, "reason": "forced"}
        assert MemoryStore.put_if(store, "control", "circuit#orders", item, expected_version=None)
        inner._claim(clock)
        inner._read()  # and it is read between the decision and its write

    store.order = order
    trip(one)
    found = store.get("control", "circuit#orders")
    assert found is not None
    assert found.attributes["forced"] is True
    assert one.snapshot().forced
