"""The deadline of a request."""

from __future__ import annotations

import asyncio

import pytest

from resilience import DeadlineExceededError, clear_deadline, deadline, remaining, set_deadline, timeout_for
from resilience.testing import ManualClock


def test_counts_down_on_a_steady_clock(clock: ManualClock) -> None:
    """A wall clock that steps does not change the remaining time."""
    with deadline(10, clock=clock) as ends:
        clock.advance(4)
        clock.step(-500)
        assert remaining() == ends.remaining() == pytest.approx(6)
    assert remaining() is None


def test_the_earlier_one_wins(clock: ManualClock) -> None:
    """A nested deadline can shorten the time, never lengthen it."""
    with deadline(10, clock=clock):
        with deadline(60, clock=clock):
            assert remaining() == pytest.approx(10)
        with deadline(2, clock=clock):
            assert remaining() == pytest.approx(2)
        assert remaining() == pytest.approx(10)


def test_shortens_timeouts(clock: ManualClock) -> None:
    """A call gets its default timeout or the remaining time less a reserve; with none left it is not made."""
    assert timeout_for("query", 3.0) == 3.0
    assert timeout_for("query") is None
    with deadline(2, clock=clock):
        assert timeout_for("query", 3.0) == pytest.approx(2.0)
        assert timeout_for("query", 3.0, reserve=0.5) == pytest.approx(1.5)
        assert timeout_for("query") == pytest.approx(2.0)
        assert timeout_for("query", 0.5) == 0.5
        clock.advance(1.5)
        assert timeout_for("query", 3.0) == pytest.approx(0.5)
        clock.advance(0.5)
        with pytest.raises(DeadlineExceededError, match="no time left for query"):
            timeout_for("query", 3.0)


def test_follows_the_request_into_its_tasks(clock: ManualClock) -> None:
    """Tasks and threads of a request see its deadline, others do not."""

    async def scenario() -> None:
        async def look() -> float | None:
            return remaining()

        other = asyncio.create_task(look())
        token = set_deadline(5, clock=clock)
        assert await asyncio.create_task(look()) == 5
        assert await asyncio.to_thread(remaining) == 5
        clear_deadline(token)
        assert await other is None
        assert remaining() is None

    asyncio.run(scenario())
