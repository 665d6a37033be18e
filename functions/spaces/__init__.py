"""Spaces: groups that study together."""
