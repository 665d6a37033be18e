"""Offline sync: batches of events, replayed exactly once, and what changed since a client last looked."""
