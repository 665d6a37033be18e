"""Drivers and test doubles shared by tests and benchmarks: clients, clocks, faulty stores, student histories."""
