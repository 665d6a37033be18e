"""The local stack: everything real, no Docker."""
