"""Load: a mixed scenario that Locust drives against the whole local stack, shared by `make bench` and `make chaos`."""
