"""Fixtures of the unit tests of core."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from resilience.testing import no_wait
from studysync.db.client import _protected, breaker


@pytest.fixture
def unharmed() -> Iterator[None]:
    """Failures of one test do not count in the next; retries are available and do not wait."""
    budget = _protected.retry_policy.budget
    for _ in range(300):
        budget.deposit()
    with no_wait():
        yield
    breaker.reset()
