"""The settings of a circuit; validated when they are built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypedDict

from resilience import _validation
from resilience._caller import current_caller
from resilience._clock import SYSTEM, Clock, chance
from resilience.breaker.states import CircuitTransition
from resilience.errors import ConfigurationError
from resilience.retry.retry_after import retry_after_of
from resilience.store.protocol import Store


class CircuitSettings(TypedDict, total=False):
    """The keyword arguments of `circuit_breaker`; CircuitConfig documents each of them."""

    failure_threshold: int | None
    recovery_timeout: float
    window_seconds: float
    minimum_calls: int
    failure_rate_threshold: float | None
    slow_call_seconds: float | None
    slow_call_rate_threshold: float
    success_threshold: int
    half_open_max_calls: int
    handled_exceptions: tuple[type[BaseException], ...]
    excluded_exceptions: tuple[type[BaseException], ...]
    minimum_callers: int
    caller_failures: tuple[type[BaseException], ...]
    caller: Callable[[], str | None]
    is_failure: Callable[[Any], bool] | None
    retry_after: Callable[[BaseException], float | None]
    max_recovery_timeout: float | None
    recovery_growth: float
    jitter: float
    lease_seconds: float
    refresh_seconds: float
    on_transition: Callable[[CircuitTransition], object] | None
    store: Store | None
    clock: Clock
    rng: Callable[[], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class CircuitConfig:
    """When a circuit opens, how long it stays open, and what closes it.

    Attributes:
        failure_threshold: Failures in a row that open it. Default 5, at least 1; None leaves it to the rates.
        recovery_timeout: Seconds for which it stays open the first time. Default 60.
        window_seconds: Length in seconds of the sliding window for the rates. Default 60.
        minimum_calls: Calls that the window must hold before a rate can open it. Default 10, at least 1.
        failure_rate_threshold: Share of failures in the window that opens it, more than 0 and at most 1. Default 0.5;
            None turns it off.
        slow_call_seconds: A call that takes longer than this is slow. Default None: no call is.
        slow_call_rate_threshold: Share of slow calls in the window that opens it, more than 0 and at most 1. Default
            0.5.
        success_threshold: Probes that must succeed under one lease to close it. Default 1, at least 1.
        half_open_max_calls: Probes that may be in progress at once in the elected environment. Default 1, at least 1.
        handled_exceptions: What counts as a failure. Default (Exception,). Any other Exception counts as a success.
            Cancellation, KeyboardInterrupt and others that are not an Exception say nothing about the dependency and
            do not count, unless they are listed here.
        excluded_exceptions: Errors which show that the dependency answers, such as "not found" or a refused input. They
            count as successes, even if they are in handled_exceptions. Default none.
        minimum_callers: Number of distinct callers that must have failures of the kinds in caller_failures before these
            count, and slow calls before those count: within the window for the rates, within the row for
            failure_threshold. Until then such failures count neither as failures nor as calls of the failure rate, and
            slow calls count as normal ones, so that one caller's expensive requests cannot open the circuit for
            everybody. A probe that is slow or fails in such a way opens it again only when probes of this many callers
            have; until then its caller waits for the next lease while others probe. Default 1: callers are not
            distinguished.
        caller_failures: Failures that may be the caller's own doing. Default TimeoutError. All others, such as a
            refused connection, always count, so that a dead dependency opens the circuit even with a single caller.
        caller: Returns the caller of the current call, or None. Default `current_caller`; see `caller_scope`. All calls
            without a caller count as one caller.
        is_failure: Gets each returned value; True makes the call a failure. Default None: each is a success.
        retry_after: Returns how many seconds an error asks to wait, or None. Default `retry_after_of`, which reads an
            attribute `retry_after` or a Retry-After header.
        max_recovery_timeout: Longest open time in seconds, whatever growth, jitter or an error asks for; at least
            recovery_timeout. None: 10 x recovery_timeout.
        recovery_growth: Factor by which the open time grows with each failed probe. Default 2, at least 1.
        jitter: The open time is extended by a random share from 0 to this. Default 0.1, at most 1; 0 turns it off.
        lease_seconds: Seconds for which an elected environment may probe before another can take over. Default 30.
        refresh_seconds: Age in seconds at which the shared snapshot is read again. Default 5. The first circuit of a
            store sets it for all.
        on_transition: Called with a CircuitTransition at each change of state. An Exception that it raises is logged
            and ignored.
        store: Where environments share the state; None takes the default store, see `resilience.configure`.
        clock: The wall clock and the monotonic clock.
        rng: Returns a random number, at least 0 and below 1, for the jitter.

    Raises:
        ConfigurationError: A setting is out of range; names the field and the value.
    """

    failure_threshold: int | None = 5
    recovery_timeout: float = 60.0
    window_seconds: float = 60.0
    minimum_calls: int = 10
    failure_rate_threshold: float | None = 0.5
    slow_call_seconds: float | None = None
    slow_call_rate_threshold: float = 0.5
    success_threshold: int = 1
    half_open_max_calls: int = 1
    handled_exceptions: tuple[type[BaseException], ...] = (Exception,)
    excluded_exceptions: tuple[type[BaseException], ...] = ()
    minimum_callers: int = 1
    caller_failures: tuple[type[BaseException], ...] = (TimeoutError,)
    caller: Callable[[], str | None] = current_caller
    is_failure: Callable[[Any], bool] | None = None
    retry_after: Callable[[BaseException], float | None] = retry_after_of
    max_recovery_timeout: float | None = None
    recovery_growth: float = 2.0
    jitter: float = 0.1
    lease_seconds: float = 30.0
    refresh_seconds: float = 5.0
    on_transition: Callable[[CircuitTransition], object] | None = None
    store: Store | None = None
    clock: Clock = SYSTEM
    rng: Callable[[], float] = chance

    def __post_init__(self) -> None:
        for name in ("recovery_timeout", "window_seconds", "lease_seconds", "refresh_seconds"):
            _validation.seconds(name, getattr(self, name))
        for name in ("minimum_calls", "success_threshold", "half_open_max_calls", "minimum_callers"):
            _validation.whole(name, getattr(self, name))
        self._check_thresholds()
        _validation.number("recovery_growth", self.recovery_growth, least=1.0)
        _validation.number("jitter", self.jitter, most=1.0)
        for name in ("handled_exceptions", "excluded_exceptions", "caller_failures"):
            object.__setattr__(self, name, _validation.exceptions(name, getattr(self, name)))
        if self.max_recovery_timeout is None:
            object.__setattr__(self, "max_recovery_timeout", 10 * self.recovery_timeout)
        elif self.max_recovery_timeout < self.recovery_timeout:
            raise ConfigurationError("max_recovery_timeout", self.max_recovery_timeout, "must reach recovery_timeout")

    def _check_thresholds(self) -> None:
        if self.failure_threshold is not None:
            _validation.whole("failure_threshold", self.failure_threshold)
        if self.failure_rate_threshold is not None:
            _validation.share("failure_rate_threshold", self.failure_rate_threshold)
        if self.slow_call_seconds is not None:
            _validation.seconds("slow_call_seconds", self.slow_call_seconds)
        _validation.share("slow_call_rate_threshold", self.slow_call_rate_threshold)
        if self.failure_threshold is None and self.failure_rate_threshold is None and self.slow_call_seconds is None:
            raise ConfigurationError(
                "failure_threshold", None, "needs failure_rate_threshold or slow_call_seconds instead"
            )

    def open_seconds(self, opens: int, asked: float | None) -> float:
        """Return how many seconds to stay open.

        Args:
            opens: How often the circuit has opened without closing in between, this time included; at least 1.
            asked: Seconds that the error asked to wait, or None.
        """
        longest = self.max_recovery_timeout or self.recovery_timeout
        grown = min(longest, self.recovery_timeout * self.recovery_growth ** min(opens - 1, 64))
        spread = min(longest, grown * (1.0 + self.jitter * self.rng()))
        return min(longest, max(spread, asked or 0.0))
