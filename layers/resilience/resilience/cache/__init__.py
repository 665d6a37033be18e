"""A two-level cache: the memory of this process first, then the store that the fleet shares."""
