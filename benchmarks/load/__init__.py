"""Load: one mixed scenario, driven by locust against the whole local stack. `make bench` and `make chaos` share it."""
