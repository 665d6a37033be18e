"""Attacks that ordinary accounts can make on a stack while a student uses it. Loopback only."""
