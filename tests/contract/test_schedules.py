"""Schedules that have nothing to do, which is the usual case."""

from __future__ import annotations

import pytest

from gamification.service import backfill_badges
from sync.service import purge_sync_events
from testing.client import Api


@pytest.mark.parametrize("work", [backfill_badges, purge_sync_events], ids=lambda work: work.__name__)
def test_nothing_to_do_is_done_at_once(api: Api, work: object) -> None:
    """A schedule without work reports that nothing is left and logs no event."""
    assert callable(work)
    api.run(work())  # what earlier tests left behind
    assert api.run(work()) == 0
