"""Retry-After in every format and from every client, budgets by dependency, and hooks that raise."""

from __future__ import annotations

import email.message
import io
import time
import urllib.error
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from resilience import RetryBudget, parse_retry_after, retry_after_of, retry_sync, transient_errors, with_retry
from resilience.testing import ManualClock, no_wait

NOW = datetime(2026, 11, 6, 8, 49, 37, tzinfo=UTC).timestamp()


@pytest.fixture(params=["UTC", "America/New_York", "Asia/Kolkata"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("zone")
@pytest.mark.parametrize(
    "value",
    ["60", " 60 ", "Fri, 06 Nov 2026 08:50:37 GMT", "Friday, 06-Nov-26 08:50:37 GMT", "Fri Nov  6 08:50:37 2026"],
)
def test_every_form_of_the_rfc_is_read_wherever_the_machine_is(value: str) -> None:
    """Seconds and the three date formats are read, all dates in UTC."""
    assert parse_retry_after(value, now=NOW) == 60


@pytest.mark.parametrize("value", ["", "soon", "-1", "1.5", "Fri, 32 Nov 2026 08:50:37 GMT", "٣"])
def test_what_is_no_form_is_nothing(value: str) -> None:
    """An unreadable value counts as none."""
    assert parse_retry_after(value, now=NOW) is None


def urllib_error() -> Exception:
    headers = email.message.Message()
    headers["Retry-After"] = "7"
    error = urllib.error.HTTPError("http://x", 503, "busy", headers, io.BytesIO())
    error.close()
    return error


def httpx_error() -> Exception:
    request = httpx.Request("GET", "http://x")
    return httpx.HTTPStatusError(
        "busy", request=request, response=httpx.Response(503, headers={"retry-after": "7"}, request=request)
    )


def botocore_error() -> Exception:
    metadata: Any = {"HTTPStatusCode": 503, "HTTPHeaders": {"retry-after": "7"}}
    return ClientError({"Error": {"Code": "SlowDown", "Message": ""}, "ResponseMetadata": metadata}, "PutObject")


@pytest.mark.parametrize("make", [urllib_error, httpx_error, botocore_error])
def test_every_clients_errors_are_understood(make: Any) -> None:
    """Every client's requested wait is respected."""
    assert retry_after_of(make()) == 7
    with no_wait() as waits, pytest.raises(Exception, match=r"busy|SlowDown"):
        retry_sync(raiser(make()), max_retries=1, jitter=False, budget=None)
    assert waits == [7]


@pytest.mark.parametrize(("make", "transient"), [(urllib_error, True), (httpx_error, True), (botocore_error, False)])
def test_statuses_of_every_client_are_read(make: Any, transient: bool) -> None:
    """A 503 may be retried; where there is a code, the code decides."""
    assert transient_errors()(make()) is transient
    assert transient_errors(codes={"SlowDown"})(botocore_error())


def raiser(error: Exception) -> Any:
    def work() -> None:
        raise error

    return work


def test_budgets_belong_to_dependencies() -> None:
    """An outage of one dependency costs another no retry; functions that name the same budget share it."""

    def tries(error: Exception, budget: str) -> int:
        calls = []

        @with_retry(max_retries=1, budget=budget)
        def work() -> None:
            calls.append(1)
            raise error

        for _ in range(15):
            with pytest.raises(type(error)):
                work()
        return len(calls) - 15

    with no_wait():
        assert tries(KeyError(), "one dependency") == 10
        assert tries(KeyError(), "one dependency") <= 1
        assert tries(OSError(), "another dependency") == 10


def test_who_calls_seldom_is_not_starved() -> None:
    """After the first ten retries there is one more every ten seconds, whatever the traffic."""
    clock = ManualClock()
    budget = RetryBudget(clock=clock)
    assert [budget.withdraw() for _ in range(11)] == [True] * 10 + [False]
    clock.advance(10)
    assert [budget.withdraw() for _ in range(2)] == [True, False]
    clock.advance(10_000)
    assert budget.tokens == 10


@pytest.mark.parametrize("hook", ["retry_on", "retry_after"])
def test_hooks_that_raise_do_not_replace_the_error(hook: str, caplog: pytest.LogCaptureFixture) -> None:
    """The caller gets the call's error, and the hook's is logged."""

    def broken(_: BaseException) -> Any:
        raise KeyError("hook")

    settings: dict[str, Any] = {hook: broken}
    with no_wait(), pytest.raises(ConnectionError, match="real"):
        retry_sync(raiser(ConnectionError("real")), max_retries=1, **settings)
    assert f"{hook} raised" in caplog.text
