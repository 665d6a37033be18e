"""Offline sync: batches of events, replayed exactly once, and what changed since a client last looked."""

import studysync  # noqa: F401 - first of all: it decides how a process starts
