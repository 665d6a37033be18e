"""Lambda: the handler, its events, SnapStart and schedules."""
