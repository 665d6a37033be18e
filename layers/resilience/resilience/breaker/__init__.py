"""The circuit breaker: one dependency, many environments, no write while it is healthy."""
