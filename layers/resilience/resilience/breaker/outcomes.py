"""What a call's outcome says about the dependency, and whose doing it may be.

Failure policy: the hooks that a circuit was given are asked here, and one that raises is logged and ignored; the error
or result that it was asked about is what counts.
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

# Raised before a dependency was reached, by parts of this package inside the protected function.
SAYS_NOTHING = (CircuitOpenError, ConcurrencyLimitError, DeadlineExceededError, BulkheadFullError, RateLimitedError)


class OutcomeClassifier:
    """The rules of one circuit."""

    def __init__(self, name: str, config: CircuitConfig) -> None:
        self._name, self._config = name, config

    def classify(self, error: BaseException) -> bool | None:
        """True: the dependency failed; False: it answered; None: the error says nothing about it.

        A group failed when any of its errors says so.
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
        """Whether a returned value is a failure."""
        judge = self._config.is_failure
        if judge is None:
            return False
        try:
            return bool(judge(result))
        except Exception:
            logger.warning("is_failure of circuit %s raised; ignored", self._name, exc_info=True)
            return False

    def may_be_callers_doing(self, error: BaseException | None) -> bool:
        """Whether a failure may be its caller's own doing; of a group, all that failed must be."""
        if isinstance(error, BaseExceptionGroup):
            return all(self.may_be_callers_doing(each) for each in error.exceptions if self.classify(each))
        return isinstance(error, self._config.caller_failures)

    def retry_after(self, error: BaseException) -> float | None:
        """Seconds that the dependency asks to be left alone, or None."""
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
        """On whose behalf the current call is made, or None."""
        try:
            return self._config.caller()
        except Exception:
            logger.warning("caller of circuit %s raised; ignored", self._name, exc_info=True)
            return None
