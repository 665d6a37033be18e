"""Retries without a budget, and waits that are skipped."""

from __future__ import annotations

import asyncio

import pytest

from resilience import (
    _sleep,
    with_retry,
)
from resilience.testing import no_wait


def test_more_waits_than_are_kept_are_forgotten() -> None:
    """A test that skips thousands of waits does not fill its memory with their records."""
    with no_wait() as waits:
        for _ in range(1_100):
            _sleep.sleep(1)
    assert len(waits) == 1_000


def test_a_retry_without_a_budget_is_not_counted() -> None:
    """With budget=None every retry is made."""
    tries = []

    def fails() -> None:
        tries.append(1)
        raise ConnectionError

    async def fails_async() -> None:
        fails()

    with no_wait():
        for _ in range(30):
            with pytest.raises(ConnectionError):
                with_retry(max_retries=1, budget=None)(fails)()
            with pytest.raises(ConnectionError):
                asyncio.run(with_retry(max_retries=1, budget=None)(fails_async)())
    assert len(tries) == 120
