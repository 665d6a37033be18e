"""Failures that one caller may have caused itself open a circuit only when several callers have them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from resilience import (
    CircuitBreaker,
    CircuitOpenError,
    ConfigurationError,
    MemoryStore,
    caller_scope,
    current_caller,
    set_caller,
)
from resilience.testing import ManualClock


class Service:
    """A dependency whose next call ends as the test specifies, called on behalf of a caller."""

    def __init__(self, clock: ManualClock, **settings: Any) -> None:
        self.clock = clock
        chosen: dict[str, Any] = {"minimum_callers": 3, "jitter": 0.0, "clock": clock, "recovery_timeout": 60.0}
        self.breaker = CircuitBreaker("service", **(chosen | settings))
        self.protected = self.breaker(self._call)

    def _call(self, error: Exception | None, seconds: float) -> None:
        self.clock.advance(seconds)
        if error is not None:
            raise error

    def call(self, caller: str | None, error: Exception | None = None, seconds: float = 0.0) -> str:
        with caller_scope(caller):
            try:
                self.protected(error, seconds)
            except CircuitOpenError:
                return "refused"
            except Exception:  # noqa: BLE001 - whatever was injected
                return "failed"
        return "fine"

    @property
    def state(self) -> str:
        return self.breaker.get_state()


@pytest.mark.parametrize("failures", [5, 500])
def test_one_caller_never_opens_it(clock: ManualClock, failures: int) -> None:
    """Timeouts of one caller, consecutive or as a share, do not open the circuit for others."""
    service = Service(clock)
    for _ in range(failures):
        assert service.call("mallory", TimeoutError()) == "failed"
        clock.advance(0.05)
    assert service.state == "closed"
    assert service.call("alice") == "fine"
    assert service.breaker.snapshot().total_failures == failures


@pytest.mark.parametrize(("callers", "state"), [("aabab", "closed"), ("aaaab", "closed"), ("aabac", "open")])
def test_failures_in_a_row_take_several_callers(clock: ManualClock, callers: str, state: str) -> None:
    """The threshold of five opens it once three callers are among the failures."""
    service = Service(clock, failure_rate_threshold=None)
    for caller in callers:
        service.call(caller, TimeoutError())
    assert service.state == state


def test_a_success_makes_the_row_forget_its_callers(clock: ManualClock) -> None:
    """Callers from before a success, even one on the fast path, do not count in the next row."""
    service = Service(clock, failure_rate_threshold=None)
    for caller in "bc":
        service.call(caller, TimeoutError())
    service.call("a")
    for _ in range(10):
        service.call("a", TimeoutError())
    assert service.state == "closed"


def test_the_rate_takes_several_callers_of_the_window(clock: ManualClock) -> None:
    """One caller's timeouts do not count as calls either: they neither open the circuit nor hide others' failures."""
    service = Service(clock, failure_threshold=None, minimum_calls=4)
    for _ in range(20):
        service.call("mallory", TimeoutError())
    service.call("alice")
    service.call("bob", TimeoutError())
    assert service.state == "closed"
    service.call("carol", TimeoutError())
    assert service.state == "open"
    assert service.breaker.snapshot().reason == "failure_rate"


def test_callers_leave_with_the_window(clock: ManualClock) -> None:
    """A caller whose failure is older than the window does not count."""
    service = Service(clock, failure_threshold=None, minimum_calls=3)
    for caller in "bc":
        service.call(caller, TimeoutError())
    clock.advance(61)
    for _ in range(10):
        service.call("a", TimeoutError())
    assert service.state == "closed"


def test_callers_of_different_buckets_come_together(clock: ManualClock) -> None:
    """Callers in different buckets of one window count together."""
    service = Service(clock, failure_threshold=None, minimum_calls=3)
    for caller in "abc":
        service.call(caller, TimeoutError())
        clock.advance(12)
    assert service.breaker.snapshot().reason == "failure_rate"


def test_errors_of_other_kinds_count_whoever_has_them(clock: ManualClock) -> None:
    """A dead dependency opens the circuit for a single caller."""
    service = Service(clock)
    for _ in range(5):
        service.call("alice", ConnectionRefusedError())
    assert service.state == "open"


def test_timeouts_between_do_not_help_them(clock: ManualClock) -> None:
    """Another caller's timeouts in between count neither as failures nor as successes."""
    service = Service(clock)
    for _ in range(4):
        service.call("mallory", TimeoutError())
        service.call("alice", ConnectionRefusedError())
    assert service.state == "closed"
    service.call("alice", ConnectionRefusedError())
    assert service.state == "open"


def test_slow_calls_take_several_callers(clock: ManualClock) -> None:
    """A slow call may be its caller's own fault, whether it succeeds or not."""
    service = Service(clock, slow_call_seconds=1.0, failure_threshold=None, failure_rate_threshold=None)
    for n in range(12):
        service.call("mallory", TimeoutError() if n % 2 else None, seconds=1.5)
    service.call("alice", seconds=1.5)
    assert service.state == "closed"
    service.call("bob", seconds=1.5)
    assert service.state == "open"
    assert service.breaker.snapshot().reason == "slow_calls"


def test_without_a_caller_all_are_one(clock: ManualClock) -> None:
    """Work without a caller does not count as several callers when repeated."""
    service = Service(clock)
    for _ in range(20):
        service.call(None, TimeoutError())
    assert service.state == "closed"
    for caller in "ab":
        service.call(caller, TimeoutError())
    assert service.state == "open"


def test_by_default_it_does_not_matter_who_it_is(clock: ManualClock) -> None:
    """With minimum_callers=1 five timeouts of one caller open it."""
    service = Service(clock, minimum_callers=1)
    for _ in range(5):
        service.call("mallory", TimeoutError())
    assert service.state == "open"


def opened(clock: ManualClock, **settings: Any) -> Service:
    """A circuit that three callers opened, and that is due for a probe."""
    service = Service(clock, **settings)
    for caller in "abcab":
        service.call(caller, TimeoutError())
    assert service.state == "open"
    clock.advance(60)
    return service


def test_a_bad_callers_probe_does_not_hold_it_open(clock: ManualClock) -> None:
    """The slow probe decides nothing, its caller waits for the next lease, and the next probe closes the circuit."""
    service = opened(clock)
    assert service.call("mallory", TimeoutError()) == "failed"
    assert service.state == "half_open"
    assert service.call("mallory") == "refused"
    assert service.call("alice") == "fine"
    assert service.state == "closed"


@pytest.mark.parametrize("leases", [False, True])
def test_probes_of_several_callers_open_it_again(clock: ManualClock, leases: bool) -> None:
    """A dependency that is slow for everybody is left alone for longer, even when a lease allows one probe."""
    service = opened(clock)
    for caller in "abc":
        assert service.call(caller, TimeoutError()) == "failed"
        clock.advance(30 if leases else 0)
    assert service.breaker.snapshot().opens == 2
    assert service.call("d") == "refused"


def test_a_single_caller_gets_in_again(clock: ManualClock) -> None:
    """The caller of a failed probe may try again under the next lease, because there may be no other caller."""
    service = opened(clock)
    service.call("alice", TimeoutError())
    clock.advance(30)
    assert service.call("alice") == "fine"
    assert service.state == "closed"


def test_a_slow_probe_is_judged_like_a_slow_call(clock: ManualClock) -> None:
    """One caller's slow probe reopens the circuit only with minimum_callers=1."""
    assert opened(clock, slow_call_seconds=1.0).call("mallory", seconds=2.0) == "fine"
    service = opened(clock, slow_call_seconds=1.0, minimum_callers=1, store=MemoryStore(clock=clock))
    service.call("mallory", seconds=2.0)
    assert service.state == "open"


def test_a_probe_that_finds_it_dead_opens_it_again(clock: ManualClock) -> None:
    """A refused connection is no caller's own fault."""
    service = opened(clock)
    service.call("mallory", ConnectionRefusedError())
    assert service.breaker.snapshot().opens == 2


def test_nothing_is_published_for_one_caller(clock: ManualClock) -> None:
    """Other environments learn only of failures that several callers had."""
    store = MemoryStore(clock=clock)
    one, other = Service(clock, store=store), Service(clock, store=store)
    for _ in range(50):
        one.call("mallory", TimeoutError())
    assert store.query("control") == []
    for caller in "abc":
        one.call(caller, TimeoutError())
    clock.advance(5)
    assert other.call("mallory") == "refused"


def test_the_caller_can_come_from_a_function(clock: ManualClock, caplog: pytest.LogCaptureFixture) -> None:
    """When the function raises, that is logged, and its calls belong to nobody."""
    names = iter("ab")
    service = Service(clock, caller=lambda: next(names))
    with caplog.at_level(logging.WARNING, "resilience"):
        for _ in range(4):
            service.call("ignored", TimeoutError())
    assert "caller of circuit service raised" in caplog.text
    service.call("ignored", TimeoutError())
    assert service.state == "open"


def test_what_is_remembered_is_bounded(clock: ManualClock) -> None:
    """Only as many callers are remembered as the decision needs, however many fail."""
    service = Service(clock, failure_threshold=None, failure_rate_threshold=1.0, minimum_callers=4)
    service.call("alice")
    for n in range(1_000):
        service.call(f"caller {n}", TimeoutError())
    assert len(service.breaker.circuit._attributed.callers) == 4


def test_async_calls_belong_to_their_own_callers(clock: ManualClock) -> None:
    """Each concurrent task has the caller that was set in it."""
    breaker = CircuitBreaker("async", minimum_callers=3, clock=clock)

    async def slow() -> None:
        await asyncio.sleep(0)
        raise TimeoutError

    async def one(caller: str) -> None:
        set_caller(caller)
        with pytest.raises(TimeoutError):
            await breaker.call_async(slow)

    async def all_of(callers: str) -> None:
        await asyncio.gather(*map(one, callers))
        assert current_caller() is None

    asyncio.run(all_of("aaaaabbbbb"))
    assert breaker.get_state() == "closed"
    asyncio.run(all_of("c"))
    assert breaker.get_state() == "open"


@pytest.mark.parametrize("settings", [{"minimum_callers": 0}, {"minimum_callers": 1.5}, {"caller_failures": ("x",)}])
def test_settings_are_checked(settings: dict[str, Any]) -> None:
    """A setting out of range is refused by name."""
    with pytest.raises(ConfigurationError, match=next(iter(settings))):
        CircuitBreaker("service", **settings)
