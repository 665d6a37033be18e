"""Drivers and doubles that suites of tests and benchmarks share: clients, clocks, faulty stores, students' lives."""
