"""The exceptions of the package.

```
ResilienceError                 everything this package raises by itself
├── ConfigurationError          a setting or a decorated function is refused; also a ValueError
├── CircuitOpenError            the circuit is open, nothing was called; carries `retry_after`
├── RateLimitedError            a rate limit is reached; carries the `decision` and `retry_after`
├── DeadlineExceededError       no time is left for the call; also a TimeoutError
├── ConcurrencyLimitError       as many calls are in progress as the dependency can serve
├── BulkheadFullError           no slot became free in time; also a TimeoutError
└── StoreError                  the shared store did not answer in time, or refused
```

An error of a protected function reaches the caller unchanged: no exception here wraps another.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilience._decision import Decision


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the errors in a group, at any depth; a single error yields itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


class ResilienceError(Exception):
    """The base of every error that this package raises by itself.

    All of them can be pickled. A value in them that cannot, such as a function that was refused, is replaced by its
    `repr`.
    """

    def __reduce__(self) -> tuple[object, ...]:
        attributes = {name: _portable(value) for name, value in self.__dict__.items()}
        return _rebuild, (type(self), tuple(map(_portable, self.args)), attributes)


def _portable(value: object) -> object:
    try:
        pickle.dumps(value)
    except Exception:  # noqa: BLE001 - whatever a class makes of it
        return repr(value)
    return value


def _rebuild(kind: type[ResilienceError], args: tuple[object, ...], attributes: dict[str, object]) -> ResilienceError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(attributes)
    return error


class ConfigurationError(ResilienceError, ValueError):
    """A setting is invalid, or a function cannot be decorated.

    Raised when an object is built or a function decorated, and by a call whose result shows that its function cannot be
    decorated.

    Attributes:
        field: The setting's name; "function" for a function that is refused.
        value: The value given, or the function or its name.
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        super().__init__(f"{field}={value!r}: {rule}")
        self.field = field
        self.value = value


class CircuitOpenError(ResilienceError):
    """The circuit is open: the dependency was not called.

    Attributes:
        name: The circuit's name.
        retry_after: Seconds until the circuit may be tried again; never negative.
        forced: True when an operator opened the circuit by hand.
    """

    def __init__(self, name: str, retry_after: float, *, forced: bool = False) -> None:
        super().__init__(f"circuit {name!r} is open; try again in {retry_after:.1f} s")
        self.name = name
        self.retry_after = max(0.0, retry_after)
        self.forced = forced


class RateLimitedError(ResilienceError):
    """A rate limit is reached.

    Attributes:
        decision: The limiter's whole answer; `decision.headers()` makes header fields of it.
        retry_after: Seconds until the next call can be allowed.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"limit of {decision.limit} reached; try again in {decision.retry_after:.0f} s")
        self.decision = decision
        self.retry_after = decision.retry_after


class DeadlineExceededError(ResilienceError, TimeoutError):
    """The request's deadline has passed, or leaves no time for the call."""


class BulkheadFullError(ResilienceError, TimeoutError):
    """No slot of a bulkhead became free in time.

    Attributes:
        waited: Seconds spent waiting.
    """

    def __init__(self, limit: int, waited: float) -> None:
        super().__init__(f"all {limit} slots busy for {waited:.2f} s")
        self.waited = waited


class ConcurrencyLimitError(ResilienceError):
    """As many calls are in progress as `adaptive_limit` allows: more would have to queue in the dependency.

    Attributes:
        limit: The limit at this moment, in calls.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} calls are under way, and more would have to wait")
        self.limit = limit


class StoreError(ResilienceError):
    """The shared store did not answer in time, or refused the request.

    It never reaches the caller of a protected function. The failure policy in the docstring of each part says what
    happens instead.
    """
