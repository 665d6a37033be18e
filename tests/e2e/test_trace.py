"""A request has one trace id in the gateway, in the function and in the database."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from testing.waiting import wait_until
from tests.e2e.conftest import Stack

TELLING = """
create or replace function public.ping() returns boolean language plpgsql stable set search_path = '' as $$
begin
  raise log 'asked by %', current_setting('request.headers')::json ->> 'traceparent';
  return true;
end $$
"""


@pytest.fixture
def telling(stack: Stack) -> Iterator[Callable[[], list[str]]]:
    """A database that logs the trace of each request; returns its log."""
    log = Path(stack.facts["logs"]) / "postgres.log"
    with stack.client() as client:
        wait_until(lambda: client.get("/health/readiness").status_code == 200)  # a cold start on a busy machine
    with psycopg.connect(stack.facts["dsn"], autocommit=True) as connection:
        row = connection.execute("select pg_get_functiondef('public.ping()'::regprocedure)").fetchone()
        assert row is not None
        connection.execute(TELLING)
        yield lambda: re.findall(r"asked by (\S+)", log.read_text(encoding="utf-8"))
        connection.execute(row[0])


def line_of(stack: Stack, request_id: str) -> dict[str, Any]:
    """The function's log line about a request, once it is written."""
    log, found = Path(stack.facts["logs"]) / "studysync_structured.json", list[dict[str, Any]]()

    def is_there() -> bool:
        whole = log.read_text(encoding="utf-8").rpartition("\n")[0]
        lines = [json.loads(text) for text in whole.splitlines() if request_id in text]
        found.extend(line for line in lines if line.get("kind") == "request" and line["request_id"] == request_id)
        return bool(found)

    wait_until(is_there, 20)
    return found[0]


@pytest.mark.parametrize("given", [True, False], ids=["the client's", "the gateway's"])
def test_one_trace_goes_through_everything(stack: Stack, telling: Callable[[], list[str]], given: bool) -> None:
    """The client's trace, or else the gateway's, is in the function's log line and in its database requests.

    The line also names the request as the gateway's access log does and the invocation as Lambda's REPORT does.
    """
    trace, request_id = uuid.uuid4().hex, f"e2e-{uuid.uuid4()}"
    sent = {"X-Request-Id": request_id, "X-Amzn-Trace-Id": "Root=1-6b0abffb-5992ece8f6fefc31bbc61a45;Sampled=1"}
    sent |= {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"} if given else {}
    with stack.client() as client:
        answer = client.get("/health/readiness", headers=sent)
    assert (answer.status_code, answer.headers["x-request-id"]) == (200, request_id), answer.text
    line = line_of(stack, request_id)
    assert (line["trace_id"] == trace) is given
    assert ("xray_trace" in line) is given
    assert line["trace_id"] in [each.split("-")[1] for each in telling()]
    logs = Path(stack.facts["logs"])
    access = (logs / "gateway.log").read_text(encoding="utf-8").splitlines()
    assert [each for each in access if "/health/readiness 200" in each and each.endswith(line["gateway_request_id"])]
    report = f"REPORT RequestId: {line['aws_request_id']}"  # written after the answer
    wait_until(lambda: report in (logs / "HealthFunction.log").read_text(encoding="utf-8"), 20)
