"""Limits: rate limits that a fleet shares for well under one write per request, bulkheads and adaptive limits."""
