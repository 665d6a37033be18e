"""Retries and hedged requests: which calls are repeated, how often, and after how long."""
