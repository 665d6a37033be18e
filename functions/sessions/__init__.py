"""Study sessions: start, events, completion, and the closing of silent ones."""
