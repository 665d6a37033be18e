"""The settings of a retry, validated when built, and the decisions that follow from them."""

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
    """The keyword arguments of `with_retry`; RetryPolicy says what each means."""

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
    """When to try again, and after how long.

    Attributes:
        max_retries: Tries after the first one. Default 3; 0 turns retries off.
        base_delay: Seconds before the first retry, at most. Default 1.0.
        max_delay: Longest wait in seconds. Default 60.0. When the other side asks for a longer one, it is not tried
            again.
        exponential_base: Factor from one wait to the next. Default 2.0, at least 1.
        jitter: Wait a random time between 0 and the computed one ("full jitter"). Default True.
        retry_on: Exception types, or a function that takes the error and says whether the call may be repeated. Default
            every Exception. Never repeated, whatever is given: the errors of this package (an open circuit, a passed
            deadline), cancellation and everything else that is no Exception.
        retry_after: Reads from an error how many seconds the other side asks to wait, or None. The wait is at least
            that, and with jitter up to base_delay longer.
        budget: Shared allowance of retries, or the name of one: all who name it share it, as befits one dependency.
            None: unlimited retries.
        rng: Source of randomness: a function that returns a number from 0 up to 1.

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
        """Whether a call with this error may be repeated at all; of a group, each of its errors must be repeatable."""
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
        """Whether retry_on has the kind of the group itself, by more than Exception."""
        kinds = self.retry_on if isinstance(self.retry_on, tuple) else ()
        return any(issubclass(kind, BaseExceptionGroup) and isinstance(group, kind) for kind in kinds)

    def wait(self, retry: int, error: BaseException | None) -> float:
        """Seconds before the retry-th retry (1 is the first) after this error."""
        longest = min(self.max_delay, self.base_delay * self.exponential_base ** min(retry - 1, 64))
        chosen = longest * self.rng() if self.jitter else longest
        asked = self._asked(error) if error is not None else None
        if asked is None:
            return chosen
        # Callers given the same time should not return at the same moment.
        spread = asked + self.base_delay * self.rng() if self.jitter else asked
        return max(chosen, min(spread, max(asked, self.max_delay)))

    def _asked(self, error: BaseException) -> float | None:
        """Failure policy: a hook that raises is logged and ignored; the error it was asked about is what counts."""
        try:
            return self.retry_after(error)
        except Exception:
            logger.warning("retry_after raised; ignored", exc_info=True)
            return None

    def begin(self) -> None:
        """Count a first try."""
        if isinstance(self.budget, RetryBudget):
            self.budget.deposit()

    def may_wait(self, seconds: float) -> bool:
        """Whether the wait is allowed by max_delay, held by the deadline and paid by the budget (asked last)."""
        left = remaining()
        if seconds > self.max_delay or (left is not None and seconds >= left):
            return False
        if isinstance(self.budget, RetryBudget) and not self.budget.withdraw():
            events.emit(events.RETRY_BUDGET_EMPTY, "retry")
            return False
        return True
