"""The settings of retries, checked when built, and the decisions that follow from them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from resilience import _validation, events
from resilience._clock import chance
from resilience._deadline import remaining
from resilience.errors import ConfigurationError, ResilienceError
from resilience.retry.budget import RetryBudget
from resilience.retry.retry_after import retry_after_of

RetryOn = type[BaseException] | tuple[type[BaseException], ...] | Callable[[BaseException], bool]


logger = logging.getLogger("resilience")


class RetrySettings(TypedDict, total=False):
    """The keyword arguments of `with_retry`; see RetryPolicy for what each means."""

    max_retries: int
    base_delay: float
    max_delay: float
    exponential_base: float
    jitter: bool
    retry_on: RetryOn
    retry_after: Callable[[BaseException], float | None]
    budget: RetryBudget | str | None
    rng: Callable[[], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryPolicy:
    """When to repeat a call, and after how long.

    The backoff before the n-th retry is min(max_delay, base_delay * exponential_base ** (n - 1)) seconds.

    Attributes:
        max_retries: Retries after the first try. Default 3; 0 turns retries off.
        base_delay: Backoff before the first retry, in seconds. Default 1.0; 0 or more.
        max_delay: Longest backoff in seconds. Default 60.0; 0 or more. If the other side asks for a longer wait, the
            call is not repeated.
        exponential_base: Factor from one backoff to the next. Default 2.0, at least 1.
        jitter: Wait a random time between 0 and the backoff ("full jitter"). Default True.
        retry_on: Exception types, or a function that takes the error and returns whether the call may be repeated; if
            it raises, the call is not repeated. Default every Exception. An exception group is repeated if each of its
            errors may be, or by its own type if that is given. Never repeated, whatever is given: the errors of this
            package (an open circuit, a passed deadline), cancellation and everything else that is not an Exception.
        retry_after: A function that takes the error and returns how many seconds the other side asks to wait, or None;
            if it raises, that counts as None. Default `retry_after_of`. The wait is at least that long, and no
            shorter than without it. With jitter, up to base_delay is added at random, but not beyond max_delay. If the
            other side asks for more than max_delay, the call is not repeated.
        budget: A RetryBudget, or the name of one that all policies with this name share: one for each dependency.
            Default a new budget for this policy. None: unlimited retries.
        rng: Source of randomness: a function that returns a number, at least 0 and below 1.

    Raises:
        ConfigurationError: A setting is out of range; names the field and the value.
    """

    max_retries: int = 3
    base_delay: float = 1.0
    max_delay: float = 60.0
    exponential_base: float = 2.0
    jitter: bool = True
    retry_on: RetryOn = (Exception,)
    retry_after: Callable[[BaseException], float | None] = retry_after_of
    budget: RetryBudget | str | None = field(default_factory=RetryBudget)
    rng: Callable[[], float] = chance

    def __post_init__(self) -> None:
        _validation.whole("max_retries", self.max_retries, least=0)
        _validation.number("base_delay", self.base_delay)
        _validation.number("max_delay", self.max_delay)
        _validation.number("exponential_base", self.exponential_base, least=1.0)
        if isinstance(self.budget, str):
            object.__setattr__(self, "budget", RetryBudget.named(_validation.text("budget", self.budget)))
        if isinstance(self.retry_on, type | tuple):
            kinds = self.retry_on if isinstance(self.retry_on, tuple) else (self.retry_on,)
            object.__setattr__(self, "retry_on", _validation.exceptions("retry_on", kinds))
        elif not callable(self.retry_on):
            raise ConfigurationError("retry_on", self.retry_on, "must be exception types or a function")

    def repeatable(self, error: BaseException) -> bool:
        """Return whether a call with this error may be repeated; see `retry_on`, also for exception groups."""
        if isinstance(error, BaseExceptionGroup) and not self._names(error):
            return all(map(self.repeatable, error.exceptions))
        if not isinstance(error, Exception) or isinstance(error, ResilienceError):
            return False
        if isinstance(self.retry_on, tuple):
            return isinstance(error, self.retry_on)
        if isinstance(self.retry_on, type):  # pragma: no cover - made a tuple when it was built
            return False
        try:
            return bool(self.retry_on(error))
        except Exception:
            logger.warning("retry_on raised; the call is not repeated", exc_info=True)
            return False

    def _names(self, group: BaseExceptionGroup[BaseException]) -> bool:
        """Return whether retry_on has a group type that the group is an instance of; `Exception` does not count."""
        kinds = self.retry_on if isinstance(self.retry_on, tuple) else ()
        return any(issubclass(kind, BaseExceptionGroup) and isinstance(group, kind) for kind in kinds)

    def wait(self, retry: int, error: BaseException | None) -> float:
        """Return the seconds to wait before a retry, counted from 1, after this error."""
        longest = min(self.max_delay, self.base_delay * self.exponential_base ** min(retry - 1, 64))
        chosen = longest * self.rng() if self.jitter else longest
        asked = self._asked(error) if error is not None else None
        if asked is None:
            return chosen
        # Callers that were told the same time should not come back at the same moment. Not spread beyond max_delay:
        # `may_wait` would refuse that.
        spread = asked + self.base_delay * self.rng() if self.jitter else asked
        return max(chosen, min(spread, max(asked, self.max_delay)))

    def _asked(self, error: BaseException) -> float | None:
        """Return what `retry_after` reads from an error. Failure policy: an Exception is logged and counts as None."""
        try:
            return self.retry_after(error)
        except Exception:
            logger.warning("retry_after raised; ignored", exc_info=True)
            return None

    def begin(self) -> None:
        """Count a first try in the budget."""
        if isinstance(self.budget, RetryBudget):
            self.budget.deposit()

    def may_wait(self, seconds: float) -> bool:
        """Return whether a retry after this wait is allowed: by max_delay, the deadline and the budget.

        The budget comes last, because asking it takes a token.
        """
        left = remaining()
        if seconds > self.max_delay or (left is not None and seconds >= left):
            return False
        if isinstance(self.budget, RetryBudget) and not self.budget.withdraw():
            events.emit(events.RETRY_BUDGET_EMPTY, "retry")
            return False
        return True
