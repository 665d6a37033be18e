"""Background work."""

from __future__ import annotations

import pytest

from resilience import flush
from resilience._background import submit


def test_work_in_the_background_that_fails_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody waits for background work, so its failure can only be logged."""

    def broken() -> None:
        raise ZeroDivisionError

    submit(broken, blocking=True)
    assert flush(5)
    assert any("background" in record.getMessage() for record in caplog.records)
