"""Users: registration, sign-in and profiles."""

import studysync  # noqa: F401 - first of all: it decides how a process starts
