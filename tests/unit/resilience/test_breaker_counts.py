"""The circuit breaker at its limits: exact rates, what counts as a failure, and what is reported."""

from __future__ import annotations

import pytest

from resilience import BulkheadFullError, CircuitBreaker, CircuitOpenError, ConnectionPool, MemoryStore
from resilience.events import Event
from resilience.testing import ManualClock
from testing.faulty_store import FaultyStore
from tests.unit.resilience.dependency import DownError


def make(clock: ManualClock, **settings: object) -> CircuitBreaker:
    return CircuitBreaker("counts", clock=clock, **{"jitter": 0.0} | settings)  # type: ignore[arg-type]


def run(breaker: CircuitBreaker, outcomes: str, clock: ManualClock | None = None) -> None:
    """Make a call per letter: g good, b bad, s slow and good, x slow and bad."""
    for outcome in outcomes:
        try:
            with breaker.guard():
                if outcome in "sx" and clock is not None:
                    clock.advance(2.0)
                if outcome in "bx":
                    raise DownError
        except DownError:
            pass


@pytest.mark.parametrize(
    ("outcomes", "state", "reason"),
    [
        ("gbgbgbgbg", "closed", ""),  # nine calls are too few
        ("gggggggggb", "closed", ""),
        ("gggggbgbgbgb", "closed", ""),  # 4 of 12
        ("gbgbgbgbgb", "open", "failure_rate"),  # exactly half of ten
        ("ggbgbgbgbgb", "closed", ""),  # 5 of 11
        ("gbbbb", "closed", ""),
        ("gbbbbb", "open", "failures"),
    ],
)
def test_the_rate_counts_from_exactly_its_threshold(clock: ManualClock, outcomes: str, state: str, reason: str) -> None:
    """It opens at half of at least ten calls, or before that at five consecutive failures."""
    breaker = make(clock)
    run(breaker, outcomes)
    assert (breaker.get_state(), breaker.snapshot().reason) == (state, reason)


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [("gsgsgsgsgs", "open"), ("gsgsgsgsgg", "closed"), ("gxgsgxgsgx", "open"), ("gxgsgxgsgg", "closed")],
)
def test_slow_calls_count_good_or_bad(clock: ManualClock, outcomes: str, state: str) -> None:
    """It opens when half of the calls are slow, whether they failed or not."""
    breaker = make(clock, slow_call_seconds=1.0, failure_threshold=None, failure_rate_threshold=None)
    run(breaker, outcomes, clock)
    assert breaker.get_state() == state
    if state == "closed":
        seen = breaker.snapshot()
        assert (seen.calls, seen.failures, seen.slow) == (10, outcomes.count("x"), 4)


def test_a_slow_probe_has_failed(clock: ManualClock) -> None:
    """A slow answer does not close the circuit; the next fast one does."""
    breaker = make(clock, failure_threshold=1, slow_call_seconds=1.0)
    run(breaker, "b")
    clock.advance(60)
    run(breaker, "s", clock)
    assert (breaker.get_state(), breaker.snapshot().reason, breaker.snapshot().opens) == ("open", "probe_failed", 2)
    clock.advance(120)
    run(breaker, "g")
    assert (breaker.get_state(), breaker.snapshot().reason, breaker.snapshot().opens) == ("closed", "recovered", 0)


def test_other_errors_prove_that_it_answers(clock: ManualClock) -> None:
    """An error outside handled_exceptions is a success; non-Exceptions and this package's own errors do not count."""
    breaker = make(clock, failure_threshold=2, handled_exceptions=(DownError,))
    for error in (DownError(), ValueError(), DownError()):
        with pytest.raises(type(error)), breaker.guard():
            raise error
    seen = breaker.snapshot()
    assert (seen.state, seen.calls, seen.failures, seen.consecutive_failures) == ("closed", 3, 2, 1)
    for silent in (KeyboardInterrupt(), BulkheadFullError(1, 0.0), CircuitOpenError("inner", 1.0)):
        with pytest.raises(type(silent)), breaker.guard():
            raise silent
    assert breaker.snapshot().calls == 3


def test_a_failed_probe_may_ask_for_more_time(clock: ManualClock) -> None:
    """Retry-After lengthens the open time after a failed probe too, up to the maximum."""

    class BusyError(Exception):
        retry_after = 200

    breaker = make(clock, failure_threshold=1)
    run(breaker, "b")
    clock.advance(60)
    with pytest.raises(BusyError), breaker.guard():
        raise BusyError
    assert breaker.snapshot().retry_after == pytest.approx(200)


def test_refusals_are_counted_and_told(clock: ManualClock, events: list[Event]) -> None:
    """Each refusal has the circuit's name and retry time, and is an event."""
    breaker = make(clock, failure_threshold=1)
    run(breaker, "b")
    clock.advance(15)
    for _ in range(3):
        with pytest.raises(CircuitOpenError) as refused, breaker.guard():
            pytest.fail("it is open")
    assert (refused.value.name, refused.value.retry_after, refused.value.forced) == ("counts", 45.0, False)
    assert breaker.snapshot().rejected == 3
    told = [(event.kind, event.name) for event in events if event.kind == "circuit_rejected"]
    assert told == [("circuit_rejected", "counts")] * 3


def test_as_many_probes_as_allowed(clock: ManualClock) -> None:
    """half_open_max_calls run concurrently; further callers are told to retry within a second."""
    breaker = make(clock, failure_threshold=1, half_open_max_calls=3, success_threshold=3)
    run(breaker, "b")
    clock.advance(60)
    with breaker.guard(), breaker.guard():
        with breaker.guard():
            with pytest.raises(CircuitOpenError) as refused, breaker.guard():
                pytest.fail("three are under way")
            assert refused.value.retry_after == 1.0
        assert breaker.get_state() == "half_open"
        with breaker.guard():  # the slot of the finished call
            pass
        assert breaker.get_state() == "half_open"
    assert breaker.get_state() == "closed"


def test_orders_say_why(clock: ManualClock) -> None:
    """The reason is in the record; when it is open without an end, callers are told the maximum open time."""
    breaker = make(clock, max_recovery_timeout=300)
    breaker.force_open()
    seen = breaker.snapshot()
    assert (seen.reason, seen.forced, seen.opens, seen.retry_after) == ("forced", True, 1, 300)
    breaker.force_open(20)
    seen = breaker.snapshot()
    assert (seen.reason, seen.forced, seen.opens, seen.retry_after) == ("forced", False, 1, 20)
    breaker.reset()
    seen = breaker.snapshot()
    assert (seen.reason, seen.forced, seen.opens, seen.retry_after) == ("reset", False, 0, 0.0)


def test_failures_are_remembered_over_changes_of_state(clock: ManualClock) -> None:
    """The window's counts restart with each state; totals and the time of the last failure do not."""
    breaker = make(clock, failure_threshold=2)
    assert breaker.snapshot().last_failure_at is None
    run(breaker, "gb")
    clock.advance(5)
    run(breaker, "b")
    at = clock.wall()
    clock.advance(60)
    run(breaker, "g")
    seen = breaker.snapshot()
    assert (seen.state, seen.failures, seen.total_failures, seen.last_failure_at) == ("closed", 0, 2, at)


def test_another_environment_reads_the_whole_record(clock: ManualClock) -> None:
    """State, reason, count and remaining time are shared; the reason here is that it was shared."""
    store = MemoryStore(clock=clock)
    one, two = (make(clock, store=FaultyStore(store), failure_threshold=1) for _ in range(2))
    changes: list[object] = []
    watching = make(clock, store=FaultyStore(store), on_transition=changes.append)
    assert (two.get_state(), watching.get_state()) == ("closed", "closed")
    run(one, "b")
    clock.advance(60)
    run(one, "b")
    clock.advance(20)
    seen = two.snapshot()
    assert (seen.state, seen.opens, seen.retry_after, seen.reason) == ("open", 2, 100.0, "probe_failed")
    watching.get_state()
    assert [(change.after, change.reason) for change in changes] == [("open", "shared")]  # type: ignore[attr-defined]
    one.force_open()
    clock.advance(6)
    assert two.snapshot().forced
    two.reset()
    clock.advance(6)
    assert one.get_state() == "closed"


def test_a_record_of_a_later_version_counts_as_closed(clock: ManualClock) -> None:
    """An unknown state or an empty record never stops a call."""
    store = MemoryStore(clock=clock)
    breaker = make(clock, store=FaultyStore(store))
    breaker.force_open()
    (stored,) = [item for item in store.query("control") if item.sk.endswith("counts")]
    assert stored.ttl is None  # versions that restarted would look new to nobody
    for attributes in ({"state": "thinking"}, {}):
        found = store.get(stored.pk, stored.sk)
        assert found is not None
        assert store.put_if(stored.pk, stored.sk, attributes, expected_version=found.version)
        clock.advance(6)
        assert breaker.get_state() == "closed"


def test_the_store_that_fails_is_told_and_changes_nothing_here(clock: ManualClock, events: list[Event]) -> None:
    """The circuit opens anyway, and the event has its name and the failed operation."""
    view = FaultyStore(MemoryStore(clock=clock))
    breaker = make(clock, store=view, failure_threshold=1)
    breaker.get_state()
    view.lose_writes = True
    run(breaker, "b")
    assert breaker.get_state() == "open"
    told = [(event.name, dict(event.details)) for event in events if event.kind == "store_error"]
    assert told == [("counts", {"operation": "put_if", "error": "lost on the way there"})]


def test_a_busy_pool_is_not_the_dependencys_fault(clock: ManualClock) -> None:
    """A call that never reached the dependency, because the pool was full, is not a failure."""
    breaker, pool = make(clock, failure_threshold=1), ConnectionPool(1, timeout=0)
    error = BulkheadFullError(pool.limit, 0.0)
    for _ in range(5):
        with pytest.raises(BulkheadFullError), breaker.guard():
            raise error
    assert breaker.get_state() == "closed"
