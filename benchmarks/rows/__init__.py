"""One module a family of promises; each has `run(stage)`, which returns its rows."""

# The order in which they run and stand in the report.
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
