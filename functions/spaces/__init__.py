"""Spaces: groups that study together."""

import studysync  # noqa: F401 - first of all: it decides how a process starts
