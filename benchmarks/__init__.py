"""The benchmarks behind `make bench`: each promise is measured next to its peer or baseline, in the same run.

`python -m benchmarks` runs all of them; `python -m benchmarks leaderboard sync` runs only the named ones. Results go to
benchmarks/results.json, from which docs/benchmarks.md is regenerated.
"""
