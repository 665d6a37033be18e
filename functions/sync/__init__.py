"""Offline sync: batches of events, replayed exactly once, and what changed since a client last looked."""

import studysync  # noqa: F401 - must be imported first, because it configures the process
