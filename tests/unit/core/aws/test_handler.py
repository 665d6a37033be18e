"""What the Lambda handler does around a request."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI

from resilience import flush
from resilience._background import submit
from studysync.aws.handler import create_handler


@pytest.fixture
def table_that_hangs() -> Iterator[threading.Event]:
    """A table whose background work outlasts the test."""
    answered = threading.Event()
    yield answered
    answered.set()
    assert flush(5)
    asyncio.get_event_loop().close()  # the handler's event loop
    asyncio.set_event_loop(None)


def test_a_client_does_not_wait_for_a_table_that_hangs(table_that_hangs: threading.Event) -> None:
    """The answer is sent a moment later, while the write to the table is still in progress."""

    async def work() -> str:
        submit(table_that_hangs.wait, blocking=True)
        return "done"

    handler = create_handler(FastAPI(), {"work": work})
    started = time.perf_counter()
    assert handler({"schedule": "work"}, None) == "done"
    assert time.perf_counter() - started < 1.5
    assert not flush(0)
