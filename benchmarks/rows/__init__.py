"""One module a family of promises; each has `run(stage)`, which returns its rows."""
