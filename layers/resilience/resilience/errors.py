"""The exceptions of the package, all in one place.

```
ResilienceError                 everything this package raises by itself
├── ConfigurationError          a setting is wrong; also a ValueError; raised when something is built
├── CircuitOpenError            the circuit is open, nothing was called; carries `retry_after`
├── RateLimitedError            the limit is reached; carries the `decision` and `retry_after`
├── DeadlineExceededError       no time is left for the call; also a TimeoutError
├── ConcurrencyLimitError       as many calls are in progress as the dependency can serve
├── BulkheadFullError           no free slot within the time; also a TimeoutError
└── StoreError                  the shared store did not answer or refused
```

What a protected function raises reaches the caller unchanged: nothing here wraps another error.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from resilience._decision import Decision


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The errors in a group, at any depth; a single error yields itself."""
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from leaves(each)
    else:
        yield error


class ResilienceError(Exception):
    """The base of every error that this package raises by itself.

    All of them survive pickling; what they carry and pickle cannot, such as a function that was refused, arrives as its
    representation.
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
    """A setting is outside its range.

    Attributes:
        field: The setting's name.
        value: What was given.
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
    """A limit is reached.

    Attributes:
        decision: The whole answer of the limiter, from which headers are rendered.
        retry_after: Seconds until the next call can be allowed.
    """

    def __init__(self, decision: Decision) -> None:
        super().__init__(f"limit of {decision.limit} reached; try again in {decision.retry_after:.0f} s")
        self.decision = decision
        self.retry_after = decision.retry_after


class DeadlineExceededError(ResilienceError, TimeoutError):
    """The request's deadline has passed, or leaves no time for the call."""


class BulkheadFullError(ResilienceError, TimeoutError):
    """No slot of a pool became free in time.

    Attributes:
        waited: Seconds spent waiting.
    """

    def __init__(self, limit: int, waited: float) -> None:
        super().__init__(f"all {limit} slots busy for {waited:.2f} s")
        self.waited = waited


class ConcurrencyLimitError(ResilienceError):
    """As many calls are in progress as the dependency serves without queueing.

    Attributes:
        limit: How many that is now.
    """

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} calls are under way, and more would have to wait")
        self.limit = limit


class StoreError(ResilienceError):
    """The shared store did not answer in time, or refused.

    It never reaches a protected call: each part documents next to its code what it does instead.
    """
