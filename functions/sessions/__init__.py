"""Study sessions: start, events, completion, and the closing of silent ones."""

import studysync  # noqa: F401 - first of all: it decides how a process starts
