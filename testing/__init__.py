"""Clients, clocks, faulty stores, random student histories: helpers shared by tests and benchmarks."""
