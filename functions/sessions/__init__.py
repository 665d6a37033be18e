"""Study sessions: start, events, completion, and the closing of silent ones."""

import studysync  # noqa: F401 - must be imported first, because it configures the process
