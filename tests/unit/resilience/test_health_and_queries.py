"""Health checks, query helpers, and the classification of errors."""

from __future__ import annotations

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from resilience import (
    CircuitOpenError,
    ConfigurationError,
    HealthChecker,
    QueryOptimizer,
    health_checker,
    parse_retry_after,
    retry_after_of,
    transient_errors,
)
from resilience.testing import ManualClock


def test_checks_run_side_by_side(clock: ManualClock) -> None:
    """Two async and two sync checks that wait for each other all pass."""
    checker, meeting, barrier = HealthChecker(clock=clock), asyncio.Event(), threading.Barrier(2)
    checker.register_check("waits", meeting.wait)
    checker.register_check("sets", set_async(meeting))
    checker.register_check("one", lambda: f"met {barrier.wait(5) >= 0}")
    checker.register_check("other", lambda: barrier.wait(5))
    report = asyncio.run(checker.run_all())
    assert report.status == "pass"
    assert report.checks["one"].message == "met True"
    assert all(result.latency_ms >= 0 for result in report.checks.values())


def test_a_check_that_hangs_is_asked_once_and_keeps_nobody_from_anything(clock: ManualClock) -> None:
    """The hanging check fails each time, the others answer, and the loop can still resolve names."""
    checker, release, asked = HealthChecker(clock=clock, cache_seconds=0), threading.Event(), []

    def hangs() -> None:
        asked.append(1)
        release.wait(10)

    checker.register_check("hangs", hangs, timeout=0.02)
    checker.register_check("fine", lambda: "fine", timeout=5)

    async def scenario() -> None:
        for _ in range(40):
            report = await checker.run_all()
            assert (report.checks["hangs"].status, report.checks["fine"].message) == ("fail", "fine")
            assert report.checks["hangs"].message == "no answer within 0.02 s"
        assert await asyncio.get_running_loop().getaddrinfo("localhost", 80)
        release.set()

    asyncio.run(scenario())
    assert len(asked) == 1


def set_async(event: asyncio.Event) -> Any:
    async def check() -> None:
        event.set()

    return check


def test_failures_say_why_and_how_bad(clock: ManualClock) -> None:
    """A critical failure fails the whole report; any other is a warning."""
    checker = HealthChecker(clock=clock, cache_seconds=0)

    def broken() -> None:
        raise ConnectionError("refused")

    checker.register_check("cache", broken, critical=False)
    report = asyncio.run(checker.run_all())
    assert (report.status, report.checks["cache"].status) == ("warn", "warn")
    assert report.checks["cache"].message == "ConnectionError: refused"
    checker.register_check("database", lambda: False)
    report = asyncio.run(checker.run_all())
    assert (report.status, report.checks["database"].message) == ("fail", "returned False")
    checker.unregister_check("database")
    assert asyncio.run(checker.run_all()).status == "warn"


def test_a_check_that_hangs_is_given_up(clock: ManualClock) -> None:
    """A check's time is limited, and the others' answers wait no longer than that."""
    checker = HealthChecker(clock=clock)

    async def hang() -> None:
        await asyncio.Event().wait()

    checker.register_check("hang", hang, timeout=0.01)
    checker.register_check("fine", lambda: "fine")
    report = asyncio.run(checker.run_all())
    assert report.checks["hang"].message == "no answer within 0.01 s"
    assert report.checks["fine"].status == "pass"


def test_many_who_ask_cost_one_check(clock: ManualClock) -> None:
    """Concurrent callers share a run, and its report for one more second."""
    checker, calls = HealthChecker(clock=clock), []

    async def check() -> None:
        calls.append(1)
        await asyncio.sleep(0)

    checker.register_check("database", check)

    async def scenario() -> None:
        await asyncio.gather(*(checker.run_all() for _ in range(100)))
        await checker.run_all()
        assert len(calls) == 1
        clock.advance(1)
        await checker.run_all()
        assert len(calls) == 2

    asyncio.run(scenario())


def test_works_as_the_guide_shows() -> None:
    """A check that returns a text is registered on the process's checker."""

    async def check_redis() -> str:
        return "Redis is healthy"

    health_checker.register_check("redis", check_redis)
    assert asyncio.run(health_checker.run_all()).checks["redis"].message == "Redis is healthy"
    health_checker.unregister_check("redis")


def test_queries_are_cut_into_batches() -> None:
    """Batches are in order, and none is larger than requested."""
    assert QueryOptimizer.batch_queries(list(range(5)), batch_size=2) == [[0, 1], [2, 3], [4]]
    assert QueryOptimizer.batch_queries([]) == []
    assert len(QueryOptimizer.batch_queries(list(range(250)))) == 3
    assert [len(batch) for batch in QueryOptimizer.batch_queries(list(range(101)))] == [100, 1]


def test_fields_are_checked_and_named_once() -> None:
    """Only plain column names get into a select list, and only known ones where columns are given."""
    assert QueryOptimizer.optimize_select_fields(["id", "name", "id", "email"], "users") == "id,name,email"
    assert QueryOptimizer.optimize_select_fields([], "users") == "*"
    assert QueryOptimizer.optimize_select_fields(["id", "*"], "users") == "*"
    QueryOptimizer.register_columns("known", ["id"])
    for field, table in (("id;drop table users", "users"), ("secret", "known")):
        with pytest.raises(ConfigurationError) as refused:
            QueryOptimizer.optimize_select_fields(["id", field], table)
        assert (refused.value.field, refused.value.value) == ("fields", field)
    with pytest.raises(ConfigurationError, match="is no column of known"):
        QueryOptimizer.optimize_select_fields(["secret"], "known")


def test_an_index_pays_when_little_is_selected() -> None:
    """A small table or a large part of a table is read without an index."""
    assert QueryOptimizer.should_use_index(100_000, 10)
    assert not QueryOptimizer.should_use_index(1_000, 1)
    assert QueryOptimizer.should_use_index(1_001, 1)
    # A row through the index costs twenty rows of the whole table; equal costs do not pay.
    assert QueryOptimizer.should_use_index(100_000, 4_999)
    assert not QueryOptimizer.should_use_index(100_000, 5_000)
    assert QueryOptimizer.should_use_index(100_000, 18_000, random_page_cost=1.1)
    assert not QueryOptimizer.should_use_index(100_000, 50_000)


class AnsweredError(Exception):
    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)


@pytest.mark.parametrize(
    ("error", "repeatable"),
    [
        (AnsweredError(code="40001", status_code=500), True),
        (AnsweredError(sqlstate="40P01"), True),
        (AnsweredError(code="08006"), True),
        (AnsweredError(code="53300"), True),
        (AnsweredError(code="23505", status_code=503), False),
        (AnsweredError(code="XX000", status_code=500), True),
        (AnsweredError(code="P0001", status_code=500), False),
        (AnsweredError(code="GATEWAY1"), True),
        (AnsweredError(status_code=500), False),
        (AnsweredError(response=SimpleNamespace(status_code=503)), True),
        (AnsweredError(code="503", status=503), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (ValueError(), False),
        (CircuitOpenError("c", 1), False),
    ],
)
def test_the_code_decides_what_may_be_repeated(error: Exception, repeatable: bool) -> None:
    """A database's code takes precedence over the error's type, and that over the status."""
    assert transient_errors(codes={"GATEWAY1"})(error) is repeatable


def test_retry_after_is_found_wherever_it_is() -> None:
    """It is read from an attribute or a response's headers, in seconds or as a date."""
    assert retry_after_of(AnsweredError(retry_after=3)) == 3.0
    assert retry_after_of(AnsweredError(retry_after=float("inf"))) is None
    assert retry_after_of(AnsweredError(response=SimpleNamespace(headers={"retry-after": " 120 "}))) == 120.0
    assert retry_after_of(AnsweredError(headers={"Retry-After": "soon"})) is None
    assert retry_after_of(ValueError()) is None
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT", now=1_445_412_450.0) == 30.0
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
