"""Fixtures for the contract tests."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from health.operations import authentication
from local.backends import Backends
from resilience import MemoryStore, RateLimiter, health_checker
from studysync.telemetry.logging import app_logger
from testing.client import Operator
from testing.clock import DatabaseClock

QUESTIONS = ["detailed", "dependencies", "metrics", "slow-requests", "errors", "circuits"]


ORDERS = ["clear-cache", "reset-metrics", "clear-errors", "circuits/database/reset", "circuits/database/open?seconds=1"]


@pytest.fixture
def noon(clock: DatabaseClock) -> datetime:
    """Noon today, with the clock set to six in the evening."""
    clock.set(datetime(2032, 5, 5, 18, tzinfo=UTC))
    return datetime(2032, 5, 5, 12, tzinfo=UTC)


class Lines:
    """Every line that the process logs, as it would be printed."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one kind."""
        lines = [json.loads(line) for line in self.text.splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("kind") == kind]


@pytest.fixture
def logged() -> Iterator[Lines]:
    """The log at level DEBUG, including that of every library."""
    lines = Lines()
    handler = app_logger.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    before, level, root = handler.setStream(lines.stream), app_logger.log_level, logging.getLogger()
    others = logging.StreamHandler(lines.stream)
    root_level = root.level
    app_logger.setLevel(logging.DEBUG)
    root.addHandler(others)
    root.setLevel(logging.DEBUG)
    yield lines
    root.removeHandler(others)
    root.setLevel(root_level)
    app_logger.setLevel(level)
    handler.setStream(before)


@pytest.fixture
def no_wrong_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test starts without any failed operator tokens."""
    monkeypatch.setattr(
        authentication, "wrong_tokens", RateLimiter(per_minute=1000, name="operators", store=MemoryStore())
    )


@pytest.fixture
def closed_circuits(backends: Backends) -> Iterator[None]:
    """The database's circuit and the last health report are reset after the test."""
    from studysync.db.client import breaker

    yield
    breaker.reset()
    health_checker.unregister_check("nothing")  # forgets the last report


def ask(operator: Operator, path: str, status: int = 200, **options: Any) -> dict[str, Any]:
    """Call an operator endpoint and return its answer."""
    response = operator.get(f"/health/{path}", **options)
    assert response.status_code == status, response.text
    data: dict[str, Any] = response.json().get("data", {})
    return data
