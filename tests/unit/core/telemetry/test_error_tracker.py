"""How errors are counted."""

from __future__ import annotations

from studysync.telemetry.error_tracker import ErrorTracker, TrackingHandler
from studysync.telemetry.logging import app_logger


def test_an_error_without_a_place_is_counted() -> None:
    """An error that was never raised is counted without a source line."""
    tracker = ErrorTracker()
    error = KeyError("x")
    record = app_logger._logger.makeRecord("x", 40, "x.py", 1, "broken", (), (KeyError, error, None))
    TrackingHandler(tracker).emit(record)
    assert tracker.get_top_errors()[0]["where"] == ""
