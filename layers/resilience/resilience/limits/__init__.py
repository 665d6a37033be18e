"""Rate limits that a fleet shares, for well under one write a request."""
