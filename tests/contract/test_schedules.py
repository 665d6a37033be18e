"""The schedules' work when there is nothing to do, as it mostly is."""

from __future__ import annotations

import pytest

from gamification.service import backfill_badges
from sync.service import purge_sync_events
from testing.client import Api


@pytest.mark.parametrize("work", [backfill_badges, purge_sync_events], ids=lambda work: work.__name__)
def test_nothing_to_do_is_done_at_once(api: Api, work: object) -> None:
    """It says that nothing is left, and writes no event about it."""
    assert callable(work)
    api.run(work())  # what other tests left behind
    assert api.run(work()) == 0
