"""Trying again: how long to wait, how often, and when not to."""
