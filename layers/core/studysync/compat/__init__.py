"""The names of the system before this one, for code that was written for it."""
