"""What `make bench` runs: every promise measured against its peer or baseline in the same run.

`python -m benchmarks` runs all, `python -m benchmarks leaderboard sync` those. Results go to benchmarks/results.json,
and docs/benchmarks.md is regenerated from it.
"""
