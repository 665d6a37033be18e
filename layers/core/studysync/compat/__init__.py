"""The names of the former system, for code that was written for it."""
