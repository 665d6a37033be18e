"""Fixtures of the tests of the contract."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.clock import DatabaseClock


@pytest.fixture
def noon(clock: DatabaseClock) -> datetime:
    """Today's noon, with the clock at six in the evening."""
    clock.set(datetime(2032, 5, 5, 18, tzinfo=UTC))
    return datetime(2032, 5, 5, 12, tzinfo=UTC)
