"""Settings out of range fail on construction, naming the field and the value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from resilience import (
    CacheManager,
    CircuitBreaker,
    ConfigurationError,
    ConnectionPool,
    DynamoStore,
    EventCounter,
    FallbackHandler,
    HealthChecker,
    PerformanceMonitor,
    QueryOptimizer,
    RateLimiter,
    RetryBudget,
    RetryPolicy,
    cached,
    deadline,
    force_open_async,
    monitor_performance,
    with_fallback,
)


def breaker(**settings: Any) -> CircuitBreaker:
    return CircuitBreaker(**{"name": "wrong"} | settings)


def table(**settings: Any) -> DynamoStore:
    return DynamoStore(**{"table": "wrong"} | settings)


def check(**settings: Any) -> None:
    HealthChecker().register_check(**{"name": "wrong", "check": lambda: None} | settings)


def keep(**settings: Any) -> Any:
    return cached(**{"ttl": 1} | settings)


def event_counter(**settings: Any) -> EventCounter:
    return EventCounter(**{"name": "wrong"} | settings)


def remember(key: str) -> None:
    FallbackHandler().register_fallback(key, None)


def pays(**settings: int) -> bool:
    return QueryOptimizer.should_use_index(**{"rows": 1, "selected": 1} | settings)


def close(coroutine_of: Callable[..., Any]) -> Callable[..., None]:
    """Turn an async function into a check of its arguments, which must fail before anything is awaited."""

    def call(**settings: Any) -> None:
        coroutine_of("wrong", **settings).send(None)

    return call


NOT_WHOLE = (0, -1, 1.5, True, "3", float("nan"))
NOT_SECONDS = (0, -1, float("nan"), float("inf"), True, "3")
NEGATIVE = (-1, -0.001, float("nan"), False)
NOT_SHARE = (0, 1.001, -1, float("nan"))
NO_NAME = ("", None, 3)

RANGES: list[tuple[Callable[..., object], str, tuple[Any, ...]]] = [
    (breaker, "name", NO_NAME),
    (breaker, "failure_threshold", NOT_WHOLE),
    (breaker, "recovery_timeout", NOT_SECONDS),
    (breaker, "window_seconds", NOT_SECONDS),
    (breaker, "minimum_calls", NOT_WHOLE),
    (breaker, "failure_rate_threshold", NOT_SHARE),
    (breaker, "slow_call_seconds", NOT_SECONDS),
    (breaker, "slow_call_rate_threshold", NOT_SHARE),
    (breaker, "success_threshold", NOT_WHOLE),
    (breaker, "half_open_max_calls", NOT_WHOLE),
    (breaker, "handled_exceptions", ((int,), ("x",))),
    (breaker, "excluded_exceptions", ((int,),)),
    (breaker, "max_recovery_timeout", (59.9,)),
    (breaker, "recovery_growth", (0.999, float("inf"))),
    (breaker, "jitter", (-0.1, 1.1)),
    (breaker, "lease_seconds", NOT_SECONDS),
    (breaker, "refresh_seconds", NOT_SECONDS),
    (breaker(name="wrong").force_open, "seconds", NOT_SECONDS),
    (close(force_open_async), "seconds", NOT_SECONDS),
    (RetryPolicy, "max_retries", (-1, 1.5, True)),
    (RetryPolicy, "base_delay", NEGATIVE),
    (RetryPolicy, "max_delay", NEGATIVE),
    (RetryPolicy, "exponential_base", (0.999, float("nan"))),
    (RetryPolicy, "retry_on", (("x",), (int,), 3)),
    (RetryBudget, "ratio", NOT_SHARE),
    (RetryBudget, "floor", (-1, 1.5)),
    (RetryBudget, "ceiling", (9, 0)),
    (deadline, "seconds", NEGATIVE),
    (with_fallback, "key", NO_NAME),
    (lambda on: with_fallback("wrong", on=on), "on", (("x",), (int,))),
    (remember, "key", NO_NAME),
    (keep, "ttl", NOT_SECONDS),
    (keep, "stale_while_revalidate", NEGATIVE),
    (keep, "stale_if_error", NEGATIVE),
    (keep, "local_seconds", NEGATIVE),
    (keep, "negative_ttl", NOT_SECONDS),
    (CacheManager, "max_entries", NOT_WHOLE),
    (CacheManager, "max_bytes", NOT_WHOLE),
    (ConnectionPool, "limit", NOT_WHOLE),
    (ConnectionPool, "timeout", NEGATIVE),
    (RateLimiter, "per_minute", NOT_WHOLE),
    (RateLimiter, "per_hour", NOT_WHOLE),
    (RateLimiter, "max_subjects", NOT_WHOLE),
    (RateLimiter, "name", NO_NAME),
    (monitor_performance, "name", NO_NAME),
    (PerformanceMonitor, "slow_seconds", NOT_SECONDS),
    (PerformanceMonitor, "max_names", NOT_WHOLE),
    (PerformanceMonitor, "max_slow", NOT_WHOLE),
    (PerformanceMonitor, "flush_seconds", NEGATIVE),
    (PerformanceMonitor, "flush_calls", NOT_WHOLE),
    (PerformanceMonitor().fleet, "minutes", (0, 1_441, 1.5)),
    (lambda name: PerformanceMonitor().report(name, dict), "name", NO_NAME),
    (event_counter, "name", NO_NAME),
    (event_counter, "max_keys", NOT_WHOLE),
    (event_counter, "keep_hours", NOT_WHOLE),
    (event_counter, "flush_seconds", NEGATIVE),
    (HealthChecker, "cache_seconds", NEGATIVE),
    (check, "name", NO_NAME),
    (check, "timeout", NOT_SECONDS),
    (lambda table: QueryOptimizer.register_columns(table, []), "table", NO_NAME),
    (lambda batch_size: QueryOptimizer.batch_queries([1], batch_size), "batch_size", NOT_WHOLE),
    (pays, "rows", (-1, 1.5)),
    (pays, "selected", (-1, 1.5)),
    (table, "table", NO_NAME),
    (table, "connect_timeout", NOT_SECONDS),
    (table, "read_timeout", NOT_SECONDS),
    (table, "attempts", NOT_WHOLE),
    (table, "cooloff_seconds", NEGATIVE),
]


@pytest.mark.parametrize(
    ("build", "field", "value"),
    [
        pytest.param(build, field, value, id=f"{getattr(build, '__name__', 'call')}-{field}-{value!r}")
        for build, field, values in RANGES
        for value in values
    ],
)
def test_what_is_out_of_range_is_named(build: Callable[..., object], field: str, value: object) -> None:
    """The error has the field and the value, and its text starts with both."""
    with pytest.raises(ConfigurationError) as refused:
        _use(build(**{field: value}))
    assert refused.value.field == field
    assert refused.value.value is value or refused.value.value == value or value != value  # noqa: PLR0124 - NaN
    assert str(refused.value).startswith(f"{field}={value!r}: ")


def _use(built: object) -> None:
    """Enter a context manager that only checks its arguments on entry."""
    enter = getattr(built, "__enter__", None)
    if enter is not None:
        enter()


@pytest.mark.parametrize(
    ("build", "rule"),
    [
        (lambda: breaker(failure_rate_threshold=1.5), "must be more than 0 and at most 1"),
        (lambda: RetryPolicy(base_delay=-1), "must be at least 0"),
        (lambda: RetryPolicy(exponential_base=0), "must be at least 1"),
        (lambda: ConnectionPool(timeout="1"), "must be a finite number"),  # type: ignore[arg-type]
        (lambda: ConnectionPool(2.5), "must be a whole number"),  # type: ignore[arg-type]
        (lambda: monitor_performance(""), "must be a non-empty string"),
        (lambda: breaker(handled_exceptions=(int,)), "must hold exception types only"),
        (lambda: RetryPolicy(retry_on=3), "must be exception types or a function"),  # type: ignore[arg-type]
        (lambda: breaker(max_recovery_timeout=1), "must reach recovery_timeout"),
        (
            lambda: breaker(failure_threshold=None, failure_rate_threshold=None),
            "needs failure_rate_threshold or slow_call_seconds instead",
        ),
        (lambda: RateLimiter(per_minute=None, per_hour=None), "needs per_hour instead"),
        (lambda: QueryOptimizer.optimize_select_fields(["a b"], "t"), "must be a column's name"),
    ],
)
def test_the_rule_is_told(build: Callable[[], object], rule: str) -> None:
    """The text ends with the allowed values."""
    with pytest.raises(ConfigurationError) as refused:
        build()
    assert str(refused.value).endswith(f": {rule}")


@pytest.mark.parametrize(
    "build",
    [
        lambda: breaker(failure_rate_threshold=1.0, jitter=1.0, recovery_growth=1.0, max_recovery_timeout=60),
        lambda: breaker(failure_threshold=1, minimum_calls=1, jitter=0.0, handled_exceptions=ValueError),
        lambda: breaker(failure_threshold=None, failure_rate_threshold=None, slow_call_seconds=0.001),
        lambda: RetryPolicy(max_retries=0, base_delay=0, max_delay=0, exponential_base=1.0),
        lambda: RetryBudget(1.0, floor=0, ceiling=1),
        lambda: keep(stale_while_revalidate=0, stale_if_error=0, local_seconds=0, negative_ttl=0.001),
        lambda: ConnectionPool(1, timeout=0),
        lambda: ConnectionPool(timeout=None),
        lambda: RateLimiter(per_minute=None, per_hour=1),
        lambda: PerformanceMonitor(flush_seconds=0, max_slow=1),
        lambda: PerformanceMonitor().fleet(60),
        lambda: HealthChecker(cache_seconds=0),
        lambda: pays(rows=0, selected=0),
    ],
)
def test_the_bounds_themselves_are_allowed(build: Callable[[], object]) -> None:
    """The bounds of a range are allowed."""
    build()
