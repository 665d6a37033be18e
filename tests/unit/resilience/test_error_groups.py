"""Exception groups, as task groups raise them, outside of breakers: their errors decide."""

from __future__ import annotations

import pytest

from resilience import AdaptiveLimit, CircuitOpenError, retry_after_of, transient_errors, with_retry


class BusyError(Exception):
    retry_after = 7


GROUPS = {
    "all may pass": (ExceptionGroup("g", [ConnectionError(), ExceptionGroup("h", [TimeoutError()])]), 3),
    "one will not": (ExceptionGroup("g", [ConnectionError(), ValueError()]), 1),
    "an open circuit": (ExceptionGroup("g", [ConnectionError(), CircuitOpenError("c", 1)]), 1),
}


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_is_repeated_when_each_of_its_errors_may_be(name: str) -> None:
    """One permanent error, or an open circuit, prevents a retry of the group."""
    error, expected = GROUPS[name]
    tries: list[int] = []

    @with_retry(max_retries=2, base_delay=0.0, retry_on=transient_errors())
    def fail() -> None:
        tries.append(1)
        raise error

    with pytest.raises(ExceptionGroup):
        fail()
    assert len(tries) == expected


def test_a_group_may_be_asked_for_by_its_kind() -> None:
    """A group is retried when its type is asked for, whatever errors it contains."""
    tries: list[int] = []

    @with_retry(max_retries=2, base_delay=0.0, retry_on=(ExceptionGroup,))
    def fail() -> None:
        tries.append(1)
        raise ExceptionGroup("g", [ValueError()])

    with pytest.raises(ExceptionGroup):
        fail()
    assert len(tries) == 3


def test_the_longest_wait_of_a_group_counts() -> None:
    """A shorter wait would be too early for one of the errors."""
    assert retry_after_of(ExceptionGroup("g", [CircuitOpenError("c", 3), BusyError(), ValueError()])) == 7.0
    assert retry_after_of(ExceptionGroup("g", [ValueError()])) is None


def test_a_group_that_says_overload_shrinks_the_limit() -> None:
    """A timeout in a group counts like a single timeout."""
    limit = AdaptiveLimit(10)

    @limit
    def fail() -> None:
        raise ExceptionGroup("g", [ValueError(), TimeoutError()])

    with pytest.raises(ExceptionGroup):
        fail()
    assert limit.limit == 9
