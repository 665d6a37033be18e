"""Classifies a call's outcome: whether the dependency failed, and whether that may be the caller's own doing.

Failure policy: an Exception that one of the circuit's hooks raises is logged and ignored. The result then counts as a
success (`is_failure`), the error asks for no wait (`retry_after`), and the call has no caller (`caller`).
"""

from __future__ import annotations

import logging

from resilience.breaker.config import CircuitConfig
from resilience.errors import (
    BulkheadFullError,
    CircuitOpenError,
    ConcurrencyLimitError,
    DeadlineExceededError,
    RateLimitedError,
)

logger = logging.getLogger("resilience")

# Raised by other policies inside the protected function, before the dependency was called.
SAYS_NOTHING = (CircuitOpenError, ConcurrencyLimitError, DeadlineExceededError, BulkheadFullError, RateLimitedError)


class OutcomeClassifier:
    """The rules by which one circuit classifies outcomes."""

    def __init__(self, name: str, config: CircuitConfig) -> None:
        self._name, self._config = name, config

    def classify(self, error: BaseException) -> bool | None:
        """Return True if the dependency failed, False if it answered, None if the error says nothing about it.

        In an exception group, one error that says "failed" decides; without one, an error that says "answered".
        """
        if isinstance(error, BaseExceptionGroup):
            verdicts = {self.classify(each) for each in error.exceptions}
            return next((verdict for verdict in (True, False) if verdict in verdicts), None)
        if isinstance(error, SAYS_NOTHING):
            return None
        if isinstance(error, self._config.excluded_exceptions):
            return False
        if isinstance(error, self._config.handled_exceptions):
            return True
        return False if isinstance(error, Exception) else None

    def is_failed_result(self, result: object) -> bool:
        """Return whether `is_failure` judges a returned value a failure."""
        judge = self._config.is_failure
        if judge is None:
            return False
        try:
            return bool(judge(result))
        except Exception:
            logger.warning("is_failure of circuit %s raised; ignored", self._name, exc_info=True)
            return False

    def may_be_callers_doing(self, error: BaseException | None) -> bool:
        """Return whether a failure may be its caller's own doing; in a group, every error that is a failure must be."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.may_be_callers_doing(each) for each in error.exceptions if self.classify(each))
        return isinstance(error, self._config.caller_failures)

    def retry_after(self, error: BaseException) -> float | None:
        """Return the seconds that an error asks to wait, or None; for a group, the longest."""
        if isinstance(error, BaseExceptionGroup):
            return max(
                (asked for each in error.exceptions if (asked := self.retry_after(each)) is not None), default=None
            )
        try:
            return self._config.retry_after(error)
        except Exception:
            logger.warning("retry_after of circuit %s raised; ignored", self._name, exc_info=True)
            return None

    def caller(self) -> str | None:
        """Return the caller on whose behalf the current call is made, or None."""
        try:
            return self._config.caller()
        except Exception:
            logger.warning("caller of circuit %s raised; ignored", self._name, exc_info=True)
            return None
