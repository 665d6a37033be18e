"""The circuit breaker: many environments share one dependency's state, with no writes while it is healthy."""
