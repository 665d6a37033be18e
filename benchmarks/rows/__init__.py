"""The benchmarks: one module per family of promises, whose `run(stage)` returns its rows."""

# In the order in which they run and appear in the report.
NAMES = (
    "leaderboard",
    "awards",
    "spaces",
    "sync",
    "growth",
    "storage",
    "breaker",
    "resilience",
    "requests",
    "load",
    "attacks",
    "cold_start",
    "live",
    "cost",
)
