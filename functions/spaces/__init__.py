"""Spaces: groups that study together."""

import studysync  # noqa: F401 - must be imported first, because it configures the process
