"""Authentication: access tokens, the dependencies of routes, and denied requests."""
