"""The local stack: real components, no Docker."""
